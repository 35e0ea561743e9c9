import type { ImageWork } from "../image-work.ts";
import { workId } from "./work-plan.ts";

/** Where an output store keeps the parts of images in progress; beside results, never among them. */
export const workFolder = ".slidelight/work";

/** Of the plan and the shards of one image. */
export function workKey(id: string): string {
  return `${workFolder}/${id}`;
}

/** The id of the work on an image that is asked for certain runs. */
export function workIdOf({ resources, settings }: ImageWork, runs: readonly string[]): string {
  const { engine } = resources;
  return workId({ runs, engine, precision: settings.precision ?? "float32", tile: settings.tile });
}
