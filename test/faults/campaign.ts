import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { imageQueueName, shardQueueName } from "@slidelight/contract";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { slidelight, start } from "../slidelight.ts";
import type { Outcome, RunningCommand } from "../slidelight.ts";
import type { Archive } from "./archive.ts";
import { openNetwork } from "./network.ts";
import type { Network } from "./network.ts";

/** Seconds after which a worker's job is taken for lost. */
export const lockSeconds = 2;
/** So short that the larger images of the archive are several shards. */
const shardSeconds = "1";
const pollMs = 150;
/** Far more than anything takes; where it ends, something is lost. */
const patienceMs = 100_000;

/** A queue of its own, one or more places for results, workers with folders of their own, and the network between. */
export interface Campaign extends AsyncDisposable {
  readonly archive: Archive;
  readonly network: Network;
  /** Prefixes in the bucket: the whole archive is explained into each. */
  readonly outs: readonly string[];
  /** Runs the command as a user of this queue would. */
  run(...args: readonly string[]): Promise<Outcome>;
  /** What `run` does, to be killed. */
  start(...args: readonly string[]): Promise<RunningCommand>;
  /** The arguments that enqueue (or explain) the archive into a prefix. */
  job(out: string): readonly string[];
  /** Enqueues the archive into each prefix. */
  enqueue(): Promise<void>;
  /** Starts the worker of a folder, and waits until it takes jobs. */
  startWorker(slot?: string, release?: Release): Promise<CampaignWorker>;
  /** Whether every image is done or has failed. */
  isIdle(): Promise<boolean>;
  /** Waits until every image is done or has failed. @throws {Error} saying what the queues hold when that takes too long. */
  untilIdle(): Promise<void>;
  /** Starts a worker, which ends what is left to do, and stops it. @returns It. @throws {Error} as `untilIdle`, and when it does not end well. */
  finish(slot?: string): Promise<CampaignWorker>;
  /** Workers that were started in these folders, one after the other. */
  readonly slots: ReadonlyMap<string, readonly CampaignWorker[]>;
  /** Past any proxy. */
  readonly redis: Redis;
  readonly images: Queue;
  readonly shards: Queue;
  slotFolder(slot: string): string;
}

/** What a worker runs, where it is not this release with its usual engine. */
export interface Release {
  readonly options?: readonly string[];
  readonly program?: string;
}

export interface CampaignWorker extends RunningCommand {
  /** Asks it to stop, and waits. @throws {Error} with what it said when that is no orderly end. */
  stop(): Promise<void>;
  /** Kills it without warning. */
  crash(): Promise<void>;
  /** Whether it ended by itself, with time to clean up. */
  readonly orderly: boolean;
}

export interface CampaignOptions {
  readonly name: string;
  readonly archive: Archive;
  readonly folder: string;
  /** Addresses of the servers; commands reach them through the campaign's network. */
  readonly redis: string;
  readonly s3: string;
  /** Places for results (1). */
  readonly outs?: number;
  readonly enqueueOptions?: readonly string[];
  readonly workerOptions?: readonly string[];
}

export async function openCampaign(options: CampaignOptions): Promise<Campaign> {
  const { name, archive, folder, enqueueOptions = [], workerOptions = [] } = options;
  const network = await openNetwork(options);
  const queue = `faults-${process.pid}-${name}`;
  const credentials = archive.settings.s3?.credentials;
  const env = {
    REDIS_URL: network.redisUrl,
    SLIDELIGHT_QUEUE: queue,
    SLIDELIGHT_SHARD_SECONDS: shardSeconds,
    SLIDELIGHT_MIN_FREE: "1MB",
    SLIDELIGHT_LOCK_SECONDS: String(lockSeconds),
    AWS_ENDPOINT_URL_S3: network.s3Endpoint,
    AWS_REGION: archive.settings.s3?.region ?? "us-east-1",
    AWS_ACCESS_KEY_ID: credentials?.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? "",
  };
  const outs = Array.from({ length: options.outs ?? 1 }, (_, index) => `maps/${name}-${index}`);
  const slots = new Map<string, CampaignWorker[]>();
  const redis = new Redis(options.redis, { maxRetriesPerRequest: null });
  const images = new Queue(imageQueueName(queue), { connection: redis });
  const shards = new Queue(shardQueueName(queue), { connection: redis });
  // Redis is killed by some scenarios; the connection is made again.
  for (const each of [redis, images, shards]) each.on("error", () => undefined);
  const slotFolder = (slot: string): string => join(folder, name, slot);
  const place = async (slot: string) => {
    const own = slotFolder(slot);
    await mkdir(join(own, "tmp"), { recursive: true });
    await mkdir(join(own, "scratch"), { recursive: true });
    return { folder: own, env: { ...env, TMPDIR: join(own, "tmp") } };
  };
  const job = (out: string): readonly string[] => [...archive.job, "--out", `s3://${archive.bucket}/${out}`];
  const look = async () => {
    const [image, shard] = await Promise.all([countsOf(images), countsOf(shards)]);
    return { image, shard, idle: image.open + shard.open === 0 && image.ended >= expected };
  };
  const expected = outs.length * (archive.sound.length + Object.keys(archive.poisoned).length);

  const startWorker: Campaign["startWorker"] = async (slot = "worker-0", { options: more = [], ...release } = {}) => {
    const args = ["worker", "--port", "0", "--engine", "onnxruntime", "--threads", "1"];
    const own = await place(slot);
    const all = [...args, "--scratch", join(own.folder, "scratch"), ...workerOptions, ...more];
    const running = start(all, { ...own, ...release });
    const worker = workerOf(running);
    slots.set(slot, [...(slots.get(slot) ?? []), worker]);
    await worker.line("worker ready");
    return worker;
  };
  const untilIdle = async (): Promise<void> => {
    const started = Date.now();
    for (;;) {
      const { idle, image, shard } = await look();
      if (idle) return;
      if (Date.now() - started > patienceMs) {
        const said = [...slots.values()].flat().flatMap((worker) => worker.errors().slice(-8));
        throw new Error(
          `${name}: not idle. Images: ${image.text}. Shards: ${shard.text}. The workers said:\n${said.join("\n")}`,
        );
      }
      await setTimeout(pollMs);
    }
  };

  return {
    archive,
    network,
    outs,
    slots,
    redis,
    images,
    shards,
    slotFolder,
    job,
    run: async (...args) => slidelight(args, await place("commands")),
    start: async (...args) => start(args, await place("commands")),
    enqueue: async () => {
      for (const out of outs) {
        const { status, stderr } = await slidelight(
          ["enqueue", ...job(out), ...enqueueOptions],
          await place("commands"),
        );
        if (status !== 0) throw new Error(`Enqueuing failed:\n${stderr}`);
      }
    },
    startWorker,
    isIdle: async () => (await look()).idle,
    untilIdle,
    finish: async (slot) => {
      const worker = await startWorker(slot);
      await untilIdle();
      await worker.stop();
      return worker;
    },
    [Symbol.asyncDispose]: async () => {
      for (const worker of [...slots.values()].flat()) await worker[Symbol.asyncDispose]();
      for (const each of [images, shards]) await each.close();
      redis.disconnect();
      await network[Symbol.asyncDispose]();
    },
  };
}

const openStates = ["wait", "prioritized", "active", "delayed", "waiting-children"] as const;

async function countsOf(
  queue: Queue,
): Promise<{ readonly open: number; readonly ended: number; readonly text: string }> {
  const counts = await queue.getJobCounts(...openStates, "completed", "failed");
  const sum = (states: readonly string[]): number => states.reduce((total, state) => total + (counts[state] ?? 0), 0);
  return { open: sum(openStates), ended: sum(["completed", "failed"]), text: JSON.stringify(counts) };
}

function workerOf(running: RunningCommand): CampaignWorker {
  let orderly = false;
  void running.outcome.then(({ status }) => {
    orderly = status === 0;
  });
  return {
    ...running,
    get orderly() {
      return orderly;
    },
    stop: async () => {
      running.kill("SIGTERM");
      const { status, stderr } = await running.outcome;
      if (status !== 0) throw new Error(`The worker ended with status ${status}:\n${stderr}`);
    },
    crash: async () => running[Symbol.asyncDispose](),
  };
}
