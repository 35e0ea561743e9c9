import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { imageQueueName, planQueueName, shardQueueName } from "@slidelight/contract";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownRedisMissing, startRedisServer } from "../servers/redis-server.ts";
import type { RedisServer } from "../servers/redis-server.ts";
import { openWorkplace, slidelight } from "../slidelight.ts";
import type { Workplace } from "../slidelight.ts";
import { ofKind, workloads } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";
import { kustomizeMissing, manifests, render, renderComposition } from "./render.ts";

const missing = kustomizeMissing() ?? ownRedisMissing();
if (missing !== undefined) console.log(`skipped: ${missing}`);

const queue = "cpu";

/** What KEDA's Redis scaler asks for. */
async function lengthOf(redis: Redis, key: string): Promise<number> {
  const type = await redis.type(key);
  if (type === "none") return 0;
  if (type === "list") return redis.llen(key);
  if (type === "zset") return redis.zcard(key);
  throw new Error(`${key} is a ${type}, which the scaler does not count.`);
}

async function countsOf(redis: Redis, scaler: KubernetesObject | undefined): Promise<Readonly<Record<string, number>>> {
  const triggers = scaler?.spec?.triggers ?? [];
  const counts = triggers.map(
    async ({ name, metadata }) => [name, await lengthOf(redis, metadata["listName"] ?? "")] as const,
  );
  return Object.fromEntries(await Promise.all(counts));
}

/** The formula's operators mean the same in JavaScript. */
function workersFor({ spec }: KubernetesObject, counts: Readonly<Record<string, number>>): number {
  const formula = spec?.advanced?.scalingModifiers?.formula ?? "";
  // oxlint-disable-next-line no-implied-eval
  const evaluate = new Function(...Object.keys(counts), `return ${formula}`) as (...values: number[]) => number;
  return evaluate(...Object.values(counts));
}

describe.skipIf(missing !== undefined)("in a real Redis", () => {
  let server: RedisServer;
  let redis: Redis;
  let work: Workplace;
  beforeAll(async () => {
    server = await startRedisServer();
    redis = new Redis(server.url);
    work = await openWorkplace();
  });
  afterAll(async () => {
    await work[Symbol.asyncDispose]();
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  });

  test("the keys that KEDA counts are those of jobs that wait, run, are delayed and have priority", async () => {
    const [scaler] = ofKind(render(join(manifests, "overlays", queue)), "ScaledObject");
    if (scaler === undefined) throw new Error("There is no ScaledObject.");
    const none = await countsOf(redis, scaler);
    expect(workersFor(scaler, none)).toBe(0);
    expect(Object.keys(none)).toHaveLength(8);

    // Two images by the command itself, one of them behind the others.
    const command = (...args: readonly string[]) =>
      slidelight(["enqueue", ...args, "--model", "model.onnx", "--out", "maps"], {
        folder: work.folder,
        env: { REDIS_URL: server.url, SLIDELIGHT_QUEUE: queue },
      });
    expect(await command("images/a.png")).toMatchObject({ status: 0 });
    expect(await command("images/b.png", "--priority", "low")).toMatchObject({ status: 0 });
    expect(await countsOf(redis, scaler)).toEqual({ ...none, images_wait: 1, images_prioritized: 1 });

    // The other states by the library that makes them.
    const names = { images: imageQueueName(queue), shards: shardQueueName(queue) };
    const connection = { url: server.url };
    const queues = { images: new Queue(names.images, { connection }), shards: new Queue(names.shards, { connection }) };
    await using _ = {
      [Symbol.asyncDispose]: async () => {
        await Promise.all(Object.values(queues).map((each) => each.close()));
      },
    };
    for (const each of Object.values(queues)) await each.add("later", {}, { delay: 3_600_000 });
    await queues.shards.addBulk(["first", "second", "third"].map((name) => ({ name, data: {} })));
    await queues.shards.add("important", {}, { priority: 5 });
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const hold = new Worker(names.shards, () => released, { connection });
    await expect.poll(() => countsOf(redis, scaler)).toMatchObject({ shards_active: 1 });
    const counts = await countsOf(redis, scaler);
    expect(counts).toEqual({
      images_wait: 1,
      images_prioritized: 1,
      images_active: 0,
      images_delayed: 1,
      shards_wait: 2,
      shards_prioritized: 1,
      shards_active: 1,
      shards_delayed: 1,
    });
    // Two images are one worker's, each shard is another's, and what is delayed keeps one there.
    expect(workersFor(scaler, counts)).toBe(1 + 4 + 1);
    release();
    await expect
      .poll(() => countsOf(redis, scaler))
      .toMatchObject({ shards_wait: 0, shards_prioritized: 0, shards_active: 0 });
    await hold.close();
    expect(workersFor(scaler, { ...none, images_active: 1 })).toBeGreaterThan(0);
    expect(workersFor(scaler, { ...none, shards_delayed: 9 })).toBe(1);

    // Jobs of the cluster are begun for what waits, and for nothing else.
    const [jobs] = ofKind(renderComposition(["redis", "keda-scaled-job"]), "ScaledJob");
    expect(jobs?.spec?.triggers?.map(({ metadata }) => metadata["listName"])).toEqual(
      ["images", "shards"].flatMap((kind) =>
        ["wait", "prioritized"].map((state) => `bull:slidelight-${kind}-own:${state}`),
      ),
    );
  });

  test("the planner's pod declares the schedules of the overlay, again and again", async () => {
    const objects = render(join(manifests, "overlays", "cpu"));
    const declare = workloads(objects)
      .flatMap(({ containers }) => containers)
      .find(({ name }) => name === "declare-schedules");
    const schedules = ofKind(objects, "ConfigMap").find(({ data = {} }) => "schedules" in data)?.data?.["schedules"];
    const [, sourceless] = /^(.*) s3:\S+/mu.exec(schedules ?? "") ?? [];
    expect(sourceless).toBe("nightly");
    // The same lines with sources that are here, and what people write around them, blanks at the end included.
    const file = join(work.folder, "schedules");
    const lines = (schedules ?? "").replace(/s3:\S+/u, "images/").trimEnd();
    await writeFile(file, `# Every night.\n \n\t# And:\n${lines} \t\nweekly images/ --cron "0 2 * * 6" --method cam\n`);
    const bin = join(work.folder, "bin");
    await mkdir(bin);
    const cli = fileURLToPath(new URL("../../apps/cli/bin/slidelight.js", import.meta.url));
    await writeFile(join(bin, "slidelight"), `#!/bin/sh\nexec ${process.execPath} ${cli} "$@"\n`);
    await chmod(join(bin, "slidelight"), 0o755);
    const run = (): { readonly status: number | null; readonly output: string } => {
      const [program = "", ...args] = [...(declare?.command ?? []), ...(declare?.args ?? [])];
      const inPod = args.map((text) => text.replaceAll("/etc/slidelight/schedules", file));
      const env = {
        ...process.env,
        PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`,
        REDIS_URL: server.url,
        SLIDELIGHT_QUEUE: queue,
        SLIDELIGHT_MODEL: join(work.folder, "model.onnx"),
        SLIDELIGHT_OUT: join(work.folder, "maps"),
      };
      const { status, stdout, stderr } = spawnSync(program, inPod, { cwd: work.folder, env, encoding: "utf8" });
      return { status, output: stdout + stderr };
    };
    expect(run()).toMatchObject({ status: 0, output: expect.stringMatching(/nightly scheduled[^]*weekly scheduled/u) });
    expect(run()).toMatchObject({ status: 0, output: expect.stringMatching(/nightly unchanged[^]*weekly unchanged/u) });
    const plans = new Queue(planQueueName, { connection: { url: server.url } });
    await using _ = { [Symbol.asyncDispose]: () => plans.close() };
    const found = await plans.getJobSchedulers();
    expect(found.map(({ key, pattern, tz }) => ({ key, pattern, tz }))).toEqual(
      expect.arrayContaining([
        { key: "nightly", pattern: "0 1 * * *", tz: "Europe/Rome" },
        { key: "weekly", pattern: "0 2 * * 6", tz: "UTC" },
      ]),
    );
    // One that can't be declared fails the pod.
    await writeFile(file, 'broken images/ --cron "never"\n');
    expect(run()).toMatchObject({ status: 123, output: expect.stringContaining("--cron") });
    // None is no fault.
    await writeFile(file, "");
    expect(run()).toMatchObject({ status: 0, output: "" });
  });
});
