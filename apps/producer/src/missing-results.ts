import type { ImageJob } from "@slidelight/contract";
import { manifestName } from "@slidelight/core/request";
import type { Abortable, ObjectStore } from "@slidelight/core";
import { runIdsOf } from "./run-ids.ts";
import type { Normalisation } from "./run-ids.ts";

/** Look-ups that run together. */
const concurrency = 64;

/**
 * The jobs of which at least one result is not in the store. Jobs whose run ids cannot be told without their image count as
 * missing: the worker finds out, and skips them.
 *
 * It asks for each manifest. Listing the results beside the images would take fewer requests, but the two lists come in different
 * orders (`a.svs-1` lies before `a.svs`, `a.svs-1/…` before `a.svs/…`, and lists of images have any order), and with raw values a
 * run has thousands of keys: a million look-ups cost about half a dollar of S3 requests and a quarter of an hour, and no memory.
 */
export async function missingResults(
  jobs: readonly ImageJob[],
  options: Abortable & { readonly store: ObjectStore; readonly model: Normalisation },
): Promise<readonly ImageJob[]> {
  const { store, model, signal } = options;
  const missing: ImageJob[] = [];
  for (let start = 0; start < jobs.length; start += concurrency) {
    const group = jobs.slice(start, start + concurrency);
    const complete = await Promise.all(
      group.map(async (job) => {
        for (const id of runIdsOf(job, model) ?? [undefined]) {
          const key = `${job.image.key}/${id ?? ""}/${manifestName}`;
          if (id === undefined || (await store.head(key, { signal })) === undefined) return false;
        }
        return true;
      }),
    );
    missing.push(...group.filter((_, index) => complete[index] === false));
  }
  return missing;
}
