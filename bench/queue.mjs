import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Queue, UnrecoverableError, Worker } from "bullmq";
import {
  failedReason,
  imageJobId,
  keptJobs,
  retryPolicy,
  shardJobId,
  shardQueueName,
} from "../apps/contract/dist/index.js";
import { addJobs } from "../apps/producer/dist/add-jobs.js";
import { openQueue } from "../apps/producer/dist/open-queue.js";
import { median, printTable, timed, withResource } from "./measure.mjs";
import { adding, imageJob, imageJobBatches } from "./queue-payloads.mjs";
import { startRedis } from "./queue-server.mjs";

/** As the product's command has it. */
const batchSize = 1000;
const { attempts } = retryPolicy;
/** No more finished jobs than this are kept, so no more can be weighed. */
const weighed = keptJobs.done.count;
const shardsOfImage = 100;

/**
 * The product's way into the queue beside a bare addBulk of the same payloads, and what a job weighs in Redis.
 * @param options.keys images enqueued in each round
 * @param options.many images enqueued by a process of its own, whose memory is looked at
 */
export async function benchQueue({ rounds, keys, many }) {
  return withResource(await startRedis(), async (server) =>
    withResource(await openQueue({ redis: server.url }), async (open) => {
      const [, version] = /redis_version:(\S+)/.exec(await open.redis.info("server")) ?? [];
      const rate = await enqueueRate(open, { rounds, keys });
      const large = await enqueueMany(open, { server, count: many });
      const bytes = { waitingImage: large.bytesOfJob, ...(await weigh(open, server.connection)) };
      printTable("Redis memory, bytes a job", [bytes]);
      return { redis: version, rate, large, bytes };
    }),
  );
}

async function enqueueRate(open, { rounds, keys }) {
  const ways = {
    product: async () => {
      for (const batch of imageJobBatches(keys, { size: batchSize })) await addJobs(open, batch, adding);
    },
    bare: async () => {
      for (const batch of imageJobBatches(keys, { size: batchSize })) {
        await open.queue.addBulk(batch.map((data) => ({ name: "image", data })));
      }
    },
  };
  const rates = { product: [], bare: [], again: [] };
  const measure = async (name, work) => {
    const { seconds } = await timed(work);
    rates[name].push(keys / seconds);
  };
  for (let round = 0; round < rounds; round += 1) {
    // Whatever grows or warms up favours each side as often.
    for (const name of round % 2 === 0 ? ["bare", "product"] : ["product", "bare"]) {
      await open.redis.flushall();
      await measure(name, ways[name]);
      if (name === "product") await measure("again", ways.product);
    }
  }
  await open.redis.flushall();
  const ratio = median(rates.product) / median(rates.bare);
  printTable(`Jobs a second, ${keys} images in batches of ${batchSize}, medians of ${rounds} rounds`, [
    {
      product: median(rates.product),
      "bare addBulk": median(rates.bare),
      ratio,
      "product, all there": median(rates.again),
    },
  ]);
  return { ...rates, ratio };
}

/** In a process that does nothing else. */
async function enqueueMany({ redis }, { server, count }) {
  const child = fileURLToPath(new URL("queue-child.mjs", import.meta.url));
  const before = await usedBytes(redis);
  const { stdout } = await promisify(execFile)(process.execPath, [child, server.url, String(count), String(batchSize)]);
  const { seconds, peakGB } = JSON.parse(stdout);
  const bytesOfJob = ((await usedBytes(redis)) - before) / count;
  await redis.flushall();
  printTable(`${count} images enqueued by one process`, [
    {
      "jobs/s": count / seconds,
      "process, peak GB": peakGB.all,
      "at a tenth": peakGB.tenth,
      "Redis, GB": (bytesOfJob * count) / 1e9,
    },
  ]);
  return { count, perSecond: count / seconds, peakGB, bytesOfJob };
}

/** Bytes of one job in each state that lasts. */
async function weigh(open, connection) {
  const finished = async (process) => {
    await open.redis.flushall();
    await enqueue(open, weighed);
    const waiting = await usedBytes(open.redis);
    await drain(open.name, { connection, count: weighed, process });
    // What is there now is what was there, finished: the change of a job adds to what it weighed.
    return ((await usedBytes(open.redis)) - waiting) / weighed;
  };
  const empty = await usedAfterFlush(open);
  await enqueue(open, weighed);
  const waiting = ((await usedBytes(open.redis)) - empty) / weighed;
  const completed = waiting + (await finished(complete));
  const failed = waiting + (await finished(fail));
  return { completedImage: completed, failedImage: failed, ...(await weighShards(open, connection)) };
}

async function enqueue(open, count) {
  for (const batch of imageJobBatches(count, { size: batchSize })) await addJobs(open, batch, adding);
}

/** As the worker does it: progress, and pointers to the results. */
async function complete(job) {
  await job.updateProgress({ done: 240, tiles: 240 });
  const runId = job.id.slice("image-".length);
  const output = `${job.data.out}/${job.data.image.key}/${runId}`;
  return [{ status: "done", method: "grad-cam", runId, target: "tumour", output }];
}

async function fail(job) {
  const message = `Reading the tile at column 12, row 7 of level 0 (bytes 123456789 to 123498765) of ${job.data.image.uri} failed: the file has only 123456800 bytes. Copy it again from its origin.`;
  throw new UnrecoverableError(failedReason({ code: "image-truncated", message }));
}

/** Children of images, waiting; then done, when nothing but their answer is kept with their image. */
async function weighShards(open, connection) {
  await open.redis.flushall();
  const images = weighed / shardsOfImage;
  await enqueue(open, images);
  const empty = await usedBytes(open.redis);
  const queue = new Queue(shardQueueName(undefined), { connection });
  try {
    for (let index = 0; index < images; index += 1) await queue.addBulk(shardsOf(imageJob(index), open));
    const waiting = await usedBytes(open.redis);
    await drain(queue.name, { connection, count: weighed, process: shardDone });
    return {
      waitingShard: (waiting - empty) / weighed,
      doneShard: ((await usedBytes(open.redis)) - empty) / weighed,
    };
  } finally {
    await queue.close();
  }
}

const maker = { name: "onnxruntime", provider: "cpu", version: "1.30.0", format: "2.1" };

function shardsOf(image, { queue }) {
  const id = imageJobId(image);
  return Array.from({ length: shardsOfImage }, (_, shard) => {
    const plan = `${id.slice("image-".length)}/float32`;
    const data = { version: 1, imageJobId: id, image, maker, plan, sweep: 0, shard };
    return {
      name: "shard",
      data,
      opts: {
        jobId: shardJobId(data),
        attempts,
        backoff: retryPolicy.backoff,
        parent: { id, queue: queue.qualifiedName },
        removeOnComplete: true,
        removeOnFail: true,
        continueParentOnFailure: true,
      },
    };
  });
}

async function shardDone() {
  return "computed";
}

/** Lets one worker do `count` jobs. */
async function drain(name, { connection, count, process }) {
  const worker = new Worker(name, process, {
    connection: { ...connection, maxRetriesPerRequest: null },
    concurrency: 100,
  });
  let left = count;
  try {
    await new Promise((resolve, reject) => {
      const finish = () => {
        left -= 1;
        if (left === 0) resolve();
      };
      worker.on("completed", finish).on("failed", finish).on("error", reject);
    });
  } finally {
    await worker.close();
  }
}

async function usedAfterFlush({ redis }) {
  await redis.flushall();
  return usedBytes(redis);
}

/** Without the streams of events: they are cut at a fixed length. */
async function usedBytes(redis) {
  const streams = await redis.keys("bull:*:events");
  if (streams.length > 0) await redis.del(streams);
  const [, bytes] = /used_memory:(\d+)/.exec(await redis.info("memory")) ?? [];
  return Number(bytes);
}
