import type { Steps } from "../../graph/steps.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { HeldTensor } from "./tensors.ts";

export type Provider = "gpu" | "cpu" | "wasm";

/** How the process computes; said to it first. */
export interface ProcessSettings {
  readonly provider: Provider;
  readonly threads: number;
  /** Index of the GPU. */
  readonly device: number;
}

type Tensors = Readonly<Record<string, Tensor>>;

type Asking<Inputs> =
  | { readonly kind: "open"; readonly settings: ProcessSettings }
  | { readonly kind: "compile"; readonly program: number; readonly steps: Steps }
  | { readonly kind: "run"; readonly program: number; readonly inputs: Inputs }
  | { readonly kind: "forget"; readonly program: number }
  | { readonly kind: "memory" };

/** What the process is asked to do, one after the other, each with one reply. */
export type Request = Asking<Tensors>;

/** The same, as the thread that computes is asked; `unfit`: what can't be, which fails when it is its turn. */
export type HeldRequest =
  | Asking<Readonly<Record<string, HeldTensor>>>
  | { readonly kind: "unfit"; readonly message: string };

/** What TensorFlow.js holds: `tf.memory()`. */
export interface TensorMemory {
  readonly tensors: number;
  readonly bytes: number;
}

interface Answers {
  readonly open: { readonly version: string };
  readonly compile: Readonly<Record<never, never>>;
  readonly run: { readonly outputs: Tensors; readonly busySeconds: number };
  readonly forget: Readonly<Record<never, never>>;
  readonly memory: { readonly memory: TensorMemory };
}

export type Answer = { readonly [K in Request["kind"]]: { readonly kind: K } & Answers[K] }[Request["kind"]];
export type Reply = Answer | { readonly kind: "failed"; readonly message: string };
