import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue } from "../apps/producer/dist/open-queue.js";
import { median, printTable, withResource } from "./measure.mjs";
import { startRedis } from "./queue-server.mjs";
import { settings, throughQueue, writeModel } from "./shard-queue.mjs";
import { blankSlide, networkOf } from "./subjects.mjs";
import { startWorker } from "./worker-process.mjs";

/** Of the time that n workers take for n times the work over the time of one. */
const goal = 1.1;
const counts = [1, 2, 4, 8];
/** A shard is one tile, and each worker's share of a slide is so many: one row of them. */
const side = 256;
const shardsEach = 4;
/** Less than a tile lasts, whatever the worker's measure says: then every tile is a shard. */
const shardSeconds = 1;
const child = fileURLToPath(new URL("shard-child.mjs", import.meta.url));

/**
 * n workers on one slide of n times the shards, beside one worker on a slide of its share: everything but the engine is real, and
 * what it computes is waited for, so that two cores are enough for eight workers.
 */
export async function benchShardScaling({ rounds, waitedSeconds }) {
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-scaling-"));
  try {
    const model = await writeModel(join(folder, "unet.onnx"), networkOf(4, { depth: 2 }).model);
    const seconds = new Map(counts.map((count) => [count, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const count of round % 2 === 0 ? counts : counts.toReversed()) {
        const out = join(folder, `${count}-${round}`);
        seconds.get(count).push(await timeOf(count, { folder, model, out, waitedSeconds }));
      }
    }
    const found = counts.map((workers) => ({
      workers,
      shards: workers * shardsEach,
      "engine s each": shardsEach * waitedSeconds,
      seconds: median(seconds.get(workers)),
      "over one worker": median(seconds.get(workers).map((value, round) => value / seconds.get(1)[round])),
    }));
    printTable(`One slide, n workers for n times the work (goal: at most ${goal} with ${counts.at(-1)})`, found);
    return { goal, rows: found };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timeOf(count, { folder, model, out, waitedSeconds }) {
  const small = await blankSlide({ width: side, height: side / 2 });
  const slide = await blankSlide({ width: shardsEach * side, height: count * side });
  const speed = side ** 2 / waitedSeconds;
  return withResource(await startRedis(), async ({ url }) => {
    // One at a time: of as many images as workers, each gets one.
    const options = ["--redis", url, "--shard-seconds", String(shardSeconds), "--concurrency", "1"];
    const start = (index) =>
      startWorker(child, [String(speed), ...options, "--scratch", join(folder, `worker-${index}`)]);
    const workers = await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
    try {
      return await withResource(await openQueue({ redis: url }), async (open) => {
        const job = { model, settings: { ...settings, tile: side } };
        await warmUp(workers, (name) => throughQueue(open, { ...job, image: small, out: `${out}-${name}` }));
        const seconds = await throughQueue(open, { ...job, image: slide, out });
        const done = workers.flatMap(({ lines }) => lines.filter(({ msg }) => msg === "shard done")).length;
        if (done !== count * shardsEach) throw new Error(`Expected ${count * shardsEach} shards, got ${done}.`);
        return seconds;
      });
    } finally {
      await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
    }
  });
}

/** Until every worker has done an image: then it knows its speed, and measures none when it is given the slide. */
async function warmUp(workers, explainSmall) {
  const isCold = ({ lines }) => !lines.some(({ msg }) => msg === "image explained");
  for (let turn = 0; workers.some(isCold); turn += 1) {
    await Promise.all(workers.map((_, index) => explainSmall(`warm-${turn}-${index}`)));
  }
}
