import type { ImageJobState, JobState, ShardJobState } from "./jobs.ts";
import type { Night } from "./night.ts";
import { divideSlide } from "./shard-plan.ts";
import type { WorkerTraits } from "./worker-classes.ts";

/** A job on a worker, from taking it up to what becomes of it when nothing comes between. */
export interface Run {
  readonly job: JobState;
  /** What is done at its end: an image's next round of shards is added, an image is committed, a shard is written. */
  readonly end: "shards-added" | "image-done" | "shard-done" | "poisoned";
  readonly startedAt: number;
  /** Seconds before its tiles. */
  readonly before: number;
  /** Pixels of its tiles, in order. */
  readonly tiles: readonly number[];
  readonly computing: number;
  readonly seconds: number;
}

export function runOf(
  job: JobState,
  { traits, night, now }: { readonly traits: WorkerTraits; readonly night: Night; readonly now: number },
): Run {
  const parts = job.kind === "shard" ? shardParts(job, traits) : imageParts(job, traits, night);
  const computing = parts.tiles.reduce((sum, pixels) => sum + pixels, 0) / traits.pixelsPerSecond;
  return { job, startedAt: now, ...parts, computing, seconds: parts.before + computing + parts.after };
}

type Parts = Pick<Run, "end" | "before" | "tiles"> & { readonly after: number };

function shardParts({ image, interval, doneTiles }: ShardJobState, { gap }: WorkerTraits): Parts {
  const tiles = image.tiles.pixels.slice(interval.start + doneTiles, interval.end);
  return { end: "shard-done", before: gap, tiles, after: 0 };
}

function imageParts(image: ImageJobState, traits: WorkerTraits, night: Night): Parts {
  const { planning, sweeps, limits } = night;
  if (image.slide.poisoned) return { end: "poisoned", before: planning, tiles: [], after: 0 };
  const { pixels } = image.tiles;
  const { pixelsPerSecond } = traits;
  image.plan ??= divideSlide({ tilePixels: pixels, pixelsPerSecond, sweeps }, limits) ?? "alone";
  const megapixels = pixels.reduce((sum, tile) => sum + tile, 0) / 1e6;
  const after = traits.assembly * megapixels + night.commit;
  if (image.plan === "alone") {
    const tiles = Array.from({ length: sweeps }, () => pixels).flat();
    return { end: "image-done", before: planning + traits.gap, tiles: tiles.slice(image.doneTiles), after };
  }
  if (image.sweep < sweeps) return { end: "shards-added", before: planning, tiles: [], after: 0 };
  return { end: "image-done", before: 0, tiles: [], after };
}

/** What a run has computed by a time: whole tiles, their pixels, and pixels in all. */
export interface RunProgress {
  readonly tiles: number;
  readonly tilePixels: number;
  readonly pixels: number;
}

export function progressOf(
  { before, tiles, computing, startedAt }: Run,
  { now, pixelsPerSecond }: { readonly now: number; readonly pixelsPerSecond: number },
): RunProgress {
  const pixels = Math.min(computing, Math.max(0, now - startedAt - before)) * pixelsPerSecond;
  // A sum of seconds is not quite the sum of its pixels.
  const most = pixels * (1 + 1e-9);
  let [done, tilePixels] = [0, 0];
  for (const tile of tiles) {
    if (tilePixels + tile > most) break;
    tilePixels += tile;
    done += 1;
  }
  return { tiles: done, tilePixels, pixels };
}
