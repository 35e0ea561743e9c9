import { parseShardJob } from "@slidelight/contract";
import { explainShard, SlidelightError } from "@slidelight/core";
import type { Precision } from "@slidelight/core";
import { Job } from "bullmq";
import type { Queue } from "bullmq";
import { z } from "zod";
import { explanationOf } from "./explanation-of-job.ts";
import { jobProcessor } from "./held-job.ts";
import type { HeldJob } from "./held-job.ts";
import { imageOf } from "./work-of.ts";
import type { WorkerResources } from "./worker-resources.ts";

const imageJobId = z.object({ imageJobId: z.string() });

/** What names a shard in the log. */
const part = z
  .object({ imageJobId: z.string(), image: z.unknown(), sweep: z.number(), shard: z.number() })
  .transform(({ image, ...rest }) => ({ ...imageOf(image), ...rest }));

/** `unwanted`: its image has ended without it, of another shard's failure or by another worker. */
type ShardOutcome = "computed" | "known" | "unwanted";

/** Does a shard's job. @returns What its image's job keeps of it: a word. */
export function shardProcessor(resources: WorkerResources, images: Queue) {
  return jobProcessor<ShardOutcome>(resources, {
    noun: "shard",
    imageJobOf: ({ data, id = "" }) => imageJobId.safeParse(data).data?.imageJobId ?? id,
    about: ({ data }) => part.safeParse(data).data ?? {},
    outcome: (outcome) => outcome,
    countFailed: (metrics) => metrics.shard("failed"),
    perform: (held) => performShard(held, { resources, images }),
    failed: async ({ job }, { code, message, last }) => {
      // The shard's own log goes with it.
      const { imageJobId, sweep, shard } = parseShardJob(job.data);
      const attempt = `sweep ${sweep + 1}, shard ${shard}, attempt ${job.attemptsMade + 1}`;
      await images.addJobLog(imageJobId, `${new Date().toISOString()} ${attempt}: [${code}] ${message}`);
      // With it the image fails: what waits of the image would be computed for nothing, before the image gets its turn.
      if (last) await (await Job.fromId(images, imageJobId))?.removeUnprocessedChildren();
    },
  });
}

interface PerformOptions {
  readonly resources: WorkerResources;
  readonly images: Queue;
}

/** Computes the shard, unless nobody waits for it: an image that ends takes the plan and the shards with it. */
async function performShard(held: HeldJob, { resources, images }: PerformOptions): Promise<ShardOutcome> {
  const { imageJobId } = parseShardJob(held.job.data);
  const unwanted = (): "unwanted" => {
    resources.metrics.shard("unwanted");
    held.log.info("shard left: its image has ended");
    return "unwanted";
  };
  if (await hasEnded(imageJobId, images)) return unwanted();
  try {
    return await computeShard(held, resources);
  } catch (error) {
    const gone = error instanceof SlidelightError && error.code === "shard-invalid";
    if (gone && (await hasEnded(imageJobId, images))) return unwanted();
    throw error;
  }
}

async function hasEnded(imageJobId: string, images: Queue): Promise<boolean> {
  const state = await images.getJobState(imageJobId);
  return state === "failed" || state === "completed" || state === "unknown";
}

async function computeShard(held: HeldJob, resources: WorkerResources): Promise<"computed" | "known"> {
  const startedMs = performance.now();
  const payload = parseShardJob(held.job.data);
  const { sweep, shard } = payload;
  held.log.info("shard started");
  const { image, settings, resources: own } = await explanationOf(payload.image, held, resources);
  const { work, precision } = planOf(payload.plan);
  const status = await explainShard(image, settings, own, { work, precision, sweep, shard, signal: held.signal });
  resources.metrics.shard(status);
  held.log.info({ status, seconds: (performance.now() - startedMs) / 1000 }, "shard done");
  return status;
}

const precisions: Readonly<Record<string, Precision>> = {
  float32: "float32",
  bfloat16: "bfloat16",
  float16: "float16",
};

/** `<work>/<precision>`. */
function planOf(plan: string): { readonly work: string; readonly precision: Precision } {
  const [work = "", name = ""] = plan.split("/");
  const precision = precisions[name];
  if (precision !== undefined) return { work, precision };
  throw new SlidelightError(
    "job-invalid",
    `Reading a shard's job: expected a plan such as 0123…/float32, got "${plan}". Use workers of the same release.`,
  );
}
