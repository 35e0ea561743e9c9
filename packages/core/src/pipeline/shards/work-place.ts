import type { ObjectStore } from "../../io/object-store.ts";
import type { ImageWork } from "../image-work.ts";
import { openShardObjects } from "./shard-store.ts";
import { workId } from "./work-plan.ts";

/** Where an output store keeps the parts of images in progress; beside results, never among them. */
const workFolder = ".slidelight/work";

/** Of the plan and the shards of one image. */
export function workKey(id: string): string {
  return `${workFolder}/${id}`;
}

/** The id of the work on an image that is asked for certain runs. */
export function workIdOf({ image, resources, settings }: ImageWork, runs: readonly string[]): string {
  const { engine } = resources;
  return workId({ key: image.key, runs, engine, precision: settings.precision ?? "float32", tile: settings.tile });
}

/** Removes the parts of an image that nobody will go on with. */
export async function forgetWork(output: ObjectStore, id: string): Promise<void> {
  await openShardObjects(output, workKey(id)).clear();
}
