import type { ObjectStore } from "../../io/object-store.ts";
import type { ImageWork } from "../image-work.ts";
import { openShardObjects } from "./shard-store.ts";
import type { WorkMaker } from "./work-maker.ts";
import { workId } from "./work-plan.ts";

/** Where an output store keeps the parts of images in progress; beside results, never among them. */
const workFolder = ".slidelight/work";

/** Of the plan and the shards of one image. */
export function workKey(id: string): string {
  return `${workFolder}/${id}`;
}

/** The id of the work on an image that is asked for certain runs, as its maker names it. */
export function workIdOf(
  { image, settings }: ImageWork,
  { runs, maker }: { readonly runs: readonly string[]; readonly maker: WorkMaker },
): string {
  const { precision = "float32", tile } = settings;
  return workId({ key: image.key, runs, engine: maker, precision, tile });
}

/** Removes the parts of an image that nobody will go on with. */
export async function forgetWork(output: ObjectStore, id: string): Promise<void> {
  await openShardObjects(output, workKey(id)).clear();
}
