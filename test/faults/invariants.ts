import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { parseImageJob } from "@slidelight/contract";
import type { Job } from "bullmq";
import { z } from "zod";
import type { Archive } from "./archive.ts";
import type { Campaign } from "./campaign.ts";
import { readResults } from "./results.ts";
import type { Results } from "./results.ts";

/**
 * What is wrong after a campaign whose workers have ended, one sentence each; nothing when no image was lost, nothing was
 * done twice, every byte is as in a calm run, and nothing was left behind.
 */
export async function faultsAfter(campaign: Campaign, calm: Results): Promise<readonly string[]> {
  const { archive, outs } = campaign;
  const faults: string[] = [];
  for (const out of outs) faults.push(...compare(await readResults(archive, out), { calm, out, archive }));
  faults.push(...(await queueFaults(campaign)));
  faults.push(...(await uploadFaults(archive, outs)));
  faults.push(...(await folderFaults(campaign)));
  return faults;
}

/** What differs between the results below a prefix and those of a calm run. */
export function compare(
  results: Results,
  { calm, out, archive }: { readonly calm: Results; readonly out: string; readonly archive: Archive },
): readonly string[] {
  const faults = [...results.faults];
  for (const [run, manifest] of calm.manifests) {
    const found = results.manifests.get(run);
    if (found === undefined) faults.push(`${out}/${run} has no manifest`);
    else if (!isDeepStrictEqual(found, manifest)) faults.push(`${out}/${run} differs from the calm run`);
  }
  for (const run of results.manifests.keys()) {
    if (!calm.manifests.has(run)) faults.push(`${out}/${run} is no result of the calm run`);
  }
  for (const key of Object.keys(archive.poisoned)) {
    const [codes, expected] = [results.records.get(key) ?? [], calm.records.get(key) ?? []];
    if (!isDeepStrictEqual(codes, expected))
      faults.push(`${out}: ${key} has the failure records [${codes.join()}], expected [${expected.join()}]`);
  }
  for (const key of results.records.keys()) {
    if (!Object.hasOwn(archive.poisoned, key)) faults.push(`${out}: ${key} is recorded as failed`);
  }
  return faults;
}

const state = z.object({
  waiting: z.number(),
  active: z.number(),
  delayed: z.number(),
  completed: z.number(),
  failed: z.number(),
  failures: z.array(z.object({ image: z.string(), code: z.string() })),
});

/** Jobs as the user sees them, and what Redis holds besides. */
async function queueFaults({ archive, outs, run, redis, images, shards }: Campaign): Promise<readonly string[]> {
  const faults: string[] = [];
  const { status, stdout, stderr } = await run("status", "--json");
  if (status !== 0) return [`status failed: ${stderr}`];
  const { failures, ...counts } = state.parse(JSON.parse(stdout));
  const expected = {
    waiting: 0,
    active: 0,
    delayed: 0,
    completed: outs.length * archive.sound.length,
    failed: outs.length * Object.keys(archive.poisoned).length,
  };
  if (!isDeepStrictEqual(counts, expected))
    faults.push(`the queue holds ${JSON.stringify(counts)}, expected ${JSON.stringify(expected)}`);
  for (const { image, code } of failures) {
    const wanted = archive.poisoned[image.replace(`s3://${archive.bucket}/`, "")];
    if (code !== wanted) faults.push(`${image} failed with ${code}, expected ${wanted ?? "that it is explained"}`);
  }
  for (const queue of [images, shards]) {
    const left = await queue.getJobCounts("wait", "prioritized", "active", "delayed", "waiting-children");
    const jobs = Object.entries(left).filter(([, count]) => count > 0);
    if (jobs.length > 0) faults.push(`${queue.name} still has jobs: ${JSON.stringify(Object.fromEntries(jobs))}`);
    for (const key of await redis.keys(queue.toKey("*:lock"))) faults.push(`Redis still has the lock ${key}`);
  }
  return faults;
}

async function uploadFaults({ client, bucket }: Archive, outs: readonly string[]): Promise<readonly string[]> {
  const { Uploads: uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  return uploads
    .filter(({ Key: key = "" }) => outs.some((out) => key.startsWith(`${out}/`)))
    .map(({ Key: key }) => `the upload of ${key} was begun and never ended`);
}

/** Of folders whose workers all had time to clean up. */
async function folderFaults({ slots, slotFolder }: Campaign): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [slot, workers] of slots) {
    if (workers.every(({ orderly }) => orderly)) faults.push(...(await leftIn(slotFolder(slot))));
  }
  return faults;
}

/** What a worker left in its folders for temporary files. */
export async function leftIn(folder: string): Promise<readonly string[]> {
  const left: string[] = [];
  for (const name of ["scratch", "tmp"]) {
    for (const entry of await readdir(join(folder, name), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() || entry.name.startsWith("run-"))
        left.push(`${join(entry.parentPath, entry.name)} was left behind`);
    }
  }
  return left;
}

/** Images that took more than one try, and how many, for scenarios in which one must be enough. */
export async function triedAgain({ images }: Campaign): Promise<readonly string[]> {
  const jobs: Job[] = await images.getJobs(["completed", "failed"]);
  return jobs
    .filter(({ attemptsMade }) => attemptsMade > 1)
    .map(({ data, attemptsMade }) => `${parseImageJob(data).image.key}: ${attemptsMade}`);
}
