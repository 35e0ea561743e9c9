import type { ImageJobState, ShardJobState } from "./jobs.ts";
import type { Night } from "./night.ts";
import type { Run, RunProgress } from "./run.ts";
import { mapBytesPerPixel } from "./shard-plan.ts";
import type { StoreRequests } from "./store-requests.ts";

/** Reads of a slide's directories, and of the small level that tissue is looked for in. */
const headerReads = { requests: 4, bytes: 262_144 };
const thumbnailReads = { requests: 2, bytes: 1_500_000 };
const planBytes = 20_000;
/** Of a shard of a sweep that makes no map. */
const statisticsBytes = 4096;
const previewBytes = 600_000;
const manifestBytes = 6000;
const failureBytes = 1500;

/** Keys that one answer of a listing names. */
const listedKeys = 1000;

/** Who enqueues lists the archive, and looks nothing up. */
export function archiveListed(store: StoreRequests, slides: number): void {
  store.add("LIST archive", Math.ceil(slides / listedKeys));
}

/** What a job asks of the store when it is taken up. */
export function requestsAtStart(store: StoreRequests, { job, end }: Run): void {
  if (end === "image-done" && job.kind === "image" && job.plan !== "alone") return;
  store.add("HEAD image", 1);
  store.add("GET image", headerReads.requests, headerReads.bytes);
  if (job.kind === "image") {
    store.add("GET manifest", 1);
    if (end !== "poisoned") store.add("GET image", thumbnailReads.requests, thumbnailReads.bytes);
  } else {
    store.add("GET plan", 1, planBytes);
    store.add("HEAD shard", 1);
  }
  if (job.doneTiles > 0) store.add("GET checkpoint", 1);
}

/** What reading its tiles asked for, to whatever end the run came. */
export function requestsOfTiles(store: StoreRequests, { job, tiles }: Run, progress: RunProgress): void {
  const { gets, readBytesPerPixel } = (job.kind === "shard" ? job.image : job).tiles;
  const begun = progress.pixels > progress.tilePixels ? 1 : 0;
  const read = Math.min(tiles.length, progress.tiles + begun);
  store.add("GET image", read * gets, progress.pixels * readBytesPerPixel);
}

export function checkpointWritten(store: StoreRequests, pixels: number): void {
  store.put("PUT checkpoint", pixels * mapBytesPerPixel);
}

export function planWritten(store: StoreRequests): void {
  store.put("PUT plan", planBytes);
}

export function shardWritten(store: StoreRequests, { image, interval, sweep }: ShardJobState, night: Night): void {
  const pixels = image.tiles.pixels.slice(interval.start, interval.end).reduce((sum, tile) => sum + tile, 0);
  const bytes = sweep < night.sweeps - 1 ? statisticsBytes : pixels * mapBytesPerPixel;
  store.put("PUT shard", bytes);
  image.shardBytes += bytes;
}

/** Shards are fetched; map, preview and manifest written; what was made on the way goes. Gives the bytes that stay. */
export function resultWritten(
  store: StoreRequests,
  { tiles, shards, shardBytes }: ImageJobState,
  night: Night,
): number {
  if (shards > 0) store.add("GET shard", shards, shardBytes);
  const mapBytes = tiles.pixels.reduce((sum, tile) => sum + tile, 0) * night.mapBytesPerPixel;
  store.put("PUT output", mapBytes);
  store.put("PUT output", previewBytes);
  store.put("PUT output", manifestBytes);
  if (shards > 0) store.add("DELETE work", shards + night.sweeps);
  return mapBytes + previewBytes + manifestBytes;
}

export function failureWritten(store: StoreRequests): void {
  store.put("PUT failure", failureBytes);
}
