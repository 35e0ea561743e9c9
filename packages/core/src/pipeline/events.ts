import type { WorkMaker } from "./shards/work-maker.ts";

/** The parts of an image's way whose time is counted. */
export type Stage = "open" | "read" | "compute" | "scratch" | "assemble" | "commit";

/** What the pipeline tells about itself; the applications turn it into progress bars, logs and metrics. */
export type PipelineEvent =
  /** The image is open, and it is known what it is asked for; `work` names its parts, which are `maker`'s. */
  | {
      readonly kind: "work-begun";
      readonly work: string;
      readonly maker: WorkMaker;
      readonly runs: readonly string[];
    }
  | { readonly kind: "image-planned"; readonly tiles: number; readonly sweeps: number; readonly pixels: number }
  | { readonly kind: "tile-done"; readonly sweep: number; readonly pixels: number; readonly busySeconds: number }
  /** So many tiles of a sweep are safe now. */
  | { readonly kind: "shard-done"; readonly sweep: number; readonly tiles: number }
  /** A part of the image was computed to see what a lower precision does to it. */
  | { readonly kind: "probe-done"; readonly busySeconds: number }
  | { readonly kind: "stage-done"; readonly stage: Stage; readonly seconds: number }
  | { readonly kind: "bytes-read"; readonly bytes: number }
  | { readonly kind: "bytes-written"; readonly bytes: number }
  | { readonly kind: "warning"; readonly message: string };

export type Observe = (event: PipelineEvent) => void;
