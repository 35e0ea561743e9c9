import { parseShardJob } from "@slidelight/contract";
import { describeMaker, explainShard, isSameMaker, SlidelightError } from "@slidelight/core";
import type { Precision } from "@slidelight/core";
import { Job } from "bullmq";
import type { Queue } from "bullmq";
import { z } from "zod";
import { explanationOf } from "./explanation-of-job.ts";
import { ForOthers, jobProcessor } from "./held-job.ts";
import type { HeldJob } from "./held-job.ts";
import { imageOf } from "./work-of.ts";
import type { WorkerResources } from "./worker-resources.ts";

/** Of a payload of any release. */
const anyShard = z.object({ imageJobId: z.string(), sweep: z.number(), shard: z.number() });

/** What names a shard in the log. */
const part = z
  .object({ imageJobId: z.string(), image: z.unknown(), sweep: z.number(), shard: z.number() })
  .transform(({ image, ...rest }) => ({ ...imageOf(image), ...rest }));

/** `unwanted`: its image has ended without it, of another shard's failure or by another worker, or must be begun anew. */
type ShardOutcome = "computed" | "known" | "unwanted";

/** Does a shard's job. @returns What its image's job keeps of it: a word. */
export function shardProcessor(resources: WorkerResources, images: Queue) {
  return jobProcessor<ShardOutcome>(resources, {
    noun: "shard",
    imageJobOf: ({ data, id = "" }) => anyShard.safeParse(data).data?.imageJobId ?? id,
    about: ({ data }) => part.safeParse(data).data ?? {},
    outcome: (outcome) => outcome,
    countFailed: (metrics) => metrics.shard("failed"),
    perform: (held) => performShard(held, { resources, images }),
    failed: async ({ job }, { code, message, last }) => {
      // The shard's own log goes with it.
      const { imageJobId, sweep, shard } = anyShard.parse(job.data);
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
  const { imageJobId, maker } = parseShardJob(held.job.data);
  const unwanted = (why: string): "unwanted" => {
    resources.metrics.shard("unwanted");
    held.log.info({ why }, "shard left");
    return "unwanted";
  };
  const ended = "its image has ended";
  if (await hasEnded(imageJobId, images)) return unwanted(ended);
  const { makers } = resources;
  if (!isSameMaker(maker, makers.own)) {
    const engines = `its image was begun with ${describeMaker(maker)}, and this worker has ${describeMaker(makers.own)}`;
    if (await makers.has(maker)) throw new ForOthers(`${engines}; workers with the former are there and take it.`);
    // Without its other shards the image gets its turn, and whoever takes it up begins it anew.
    await (await Job.fromId(images, imageJobId))?.removeUnprocessedChildren();
    return unwanted(`${engines}; nobody is left who has the former`);
  }
  try {
    return await computeShard(held, resources);
  } catch (error) {
    if (!(error instanceof SlidelightError)) throw error;
    if (error.code === "shard-invalid" && (await hasEnded(imageJobId, images))) return unwanted(ended);
    // The engine is the same.
    if (error.code === "engine-differs") throw new SlidelightError("image-changed", changed(held), { cause: error });
    throw error;
  }
}

function changed({ job }: HeldJob): string {
  const { image, sweep, shard } = parseShardJob(job.data);
  return `Computing sweep ${sweep + 1}, shard ${shard} of ${image.image.uri}: expected the image that its plan was made for, got another one. Enqueue it again when it is written no more.`;
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
