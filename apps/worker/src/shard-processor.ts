import { parseShardJob } from "@slidelight/contract";
import { explainShard, SlidelightError } from "@slidelight/core";
import type { Precision } from "@slidelight/core";
import type { Queue } from "bullmq";
import { z } from "zod";
import { explanationOf } from "./explanation-of-job.ts";
import { jobProcessor } from "./held-job.ts";
import type { HeldJob } from "./held-job.ts";
import type { WorkerResources } from "./worker-resources.ts";

const imageJobId = z.object({ imageJobId: z.string() });

/** Does a shard's job. @returns What its image's job keeps of it: a word. */
export function shardProcessor(resources: WorkerResources, images: Queue) {
  return jobProcessor<"computed" | "known">(resources, {
    noun: "shard",
    imageJobOf: ({ data, id = "" }) => imageJobId.safeParse(data).data?.imageJobId ?? id,
    count: (metrics, status) => metrics.shard(status),
    perform: (held) => computeShard(held, resources),
    failed: async ({ job }, { code, message }) => {
      // The shard's own log goes with it.
      const { imageJobId, sweep, shard } = parseShardJob(job.data);
      const attempt = `sweep ${sweep + 1}, shard ${shard}, attempt ${job.attemptsMade + 1}`;
      await images.addJobLog(imageJobId, `${new Date().toISOString()} ${attempt}: [${code}] ${message}`);
    },
  });
}

async function computeShard(held: HeldJob, resources: WorkerResources): Promise<"computed" | "known"> {
  const startedMs = performance.now();
  const payload = parseShardJob(held.job.data);
  const { sweep, shard } = payload;
  held.log.info({ image: payload.image.image.uri, sweep, shard }, "shard started");
  const { image, settings, resources: own } = await explanationOf(payload.image, held, resources);
  const { work, precision } = planOf(payload.plan);
  const status = await explainShard(image, settings, own, { work, precision, sweep, shard, signal: held.signal });
  resources.metrics.shard(status);
  held.log.info({ sweep, shard, status, seconds: (performance.now() - startedMs) / 1000 }, "shard done");
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
