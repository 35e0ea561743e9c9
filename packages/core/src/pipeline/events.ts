import type { WorkMaker } from "./shards/work-maker.ts";

/**
 * The parts of an image's way whose time is counted. `read` and `compute` come once a tile; `plan` includes measuring the speed;
 * `collect` merges and fetches what a sweep's shards tell.
 */
export type Stage = "open" | "plan" | "read" | "compute" | "scratch" | "collect" | "assemble" | "commit";

/** What the pipeline tells about itself; the applications turn it into progress bars, logs and metrics. */
export type PipelineEvent =
  /**
   * The image is open, and it is known what it is asked for; `work` names its parts, which are `maker`'s. `pixels` of the level that is
   * explained.
   */
  | {
      readonly kind: "work-begun";
      readonly work: string;
      readonly maker: WorkMaker;
      readonly runs: readonly string[];
      readonly pixels: number;
    }
  | { readonly kind: "image-planned"; readonly tiles: number; readonly sweeps: number; readonly pixels: number }
  | { readonly kind: "tile-done"; readonly sweep: number; readonly pixels: number; readonly busySeconds: number }
  /** So many tiles of a sweep are safe now; `seconds` since the shard before, or since the first tile was asked for. */
  | {
      readonly kind: "shard-done";
      readonly sweep: number;
      readonly shard: number;
      readonly tiles: number;
      readonly seconds: number;
    }
  /** A part of the image was computed to see what a lower precision does to it. */
  | { readonly kind: "probe-done"; readonly busySeconds: number }
  | { readonly kind: "stage-done"; readonly stage: Stage; readonly seconds: number }
  /** A stage that threw: of an image that was given up, too. */
  | { readonly kind: "stage-failed"; readonly stage: Stage; readonly seconds: number; readonly error: unknown }
  | { readonly kind: "bytes-read"; readonly bytes: number }
  | { readonly kind: "bytes-written"; readonly bytes: number }
  | { readonly kind: "warning"; readonly message: string };

export type Observe = (event: PipelineEvent) => void;
