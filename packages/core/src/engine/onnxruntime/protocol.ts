import type { Tensor } from "../../graph/tensor.ts";
import type { WarmLimits } from "../memory.ts";
import type { Provider } from "./providers.ts";

/** How the thread computes; given to it once, when it starts. */
export interface ThreadSettings {
  readonly provider: Provider;
  /** Threads that compute one operator together. */
  readonly threads: number;
  /** Index of the accelerator. */
  readonly device: number;
  readonly warm: WarmLimits;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** What the thread is asked to do, one after the other; each has one reply with the same `id`. */
export type Request = { readonly id: number } & (
  | {
      readonly kind: "compile";
      readonly program: number;
      /** An ONNX model. */
      readonly bytes: Uint8Array;
      readonly frequent: boolean;
      /** Estimate of what a run takes, and what the session then keeps. */
      readonly workingBytes: number;
    }
  | {
      readonly kind: "run";
      readonly program: number;
      readonly inputs: Tensors;
      /** Memory for the outputs. */
      readonly outputs: Tensors;
    }
  | { readonly kind: "forget"; readonly program: number }
);

/** `withdraw`: a request that waits is forgotten without a reply. `close`: so are all, and the thread ends. */
export type Message = Request | { readonly kind: "withdraw"; readonly id: number } | { readonly kind: "close" };

export type Reply = { readonly id: number } & (
  | { readonly kind: "compiled" }
  | { readonly kind: "ran"; readonly outputs: Tensors; readonly spent: Tensors; readonly busySeconds: number }
  | { readonly kind: "forgotten" }
  | { readonly kind: "failed"; readonly message: string }
);

/** The first thing that the thread says. */
export type Greeting =
  | { readonly kind: "ready"; readonly version: string }
  | { readonly kind: "unavailable"; readonly message: string; readonly backends: readonly string[] };
