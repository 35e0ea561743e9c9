import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { cancellationKey, encodeFailureRecord, failureKey, imageQueueName, shardQueueName } from "@slidelight/contract";
import type { FailureRecord } from "@slidelight/contract";
import { openStore } from "@slidelight/core";
import { Queue, UnrecoverableError, WaitingChildrenError, Worker } from "bullmq";
import type { Job } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { s3Client } from "../packages/core/src/io/s3-client.ts";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import type { RedisServer } from "./servers/redis-server.ts";
import { s3Missing, startS3Server } from "./servers/s3-server.ts";
import { openWorkplace, slidelight, start, writeImage } from "./slidelight.ts";
import type { Workplace } from "./slidelight.ts";

const missing = redisMissing();

const uriOf = (job: Job): string => z.object({ image: z.object({ uri: z.string() }) }).parse(job.data).image.uri;
const nameOf = (job: Job): string => uriOf(job).slice(uriOf(job).lastIndexOf("/") + 1);

describe.skipIf(missing !== undefined)("an archive's queue", () => {
  let redis: RedisServer;
  let client: Redis;
  let work: Workplace;
  let images: Queue;
  let shards: Queue;
  let suffix = "";
  let tests = 0;
  const opened: AsyncDisposable[] = [];
  beforeAll(async () => {
    redis = await startRedisServer();
    client = new Redis(redis.url, { maxRetriesPerRequest: null });
    work = await openWorkplace();
  });
  afterAll(async () => {
    client.disconnect();
    await work[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    tests += 1;
    suffix = `archive-${process.pid}-${tests}`;
    images = new Queue(imageQueueName(suffix), { connection: client });
    shards = new Queue(shardQueueName(suffix), { connection: client });
  });
  afterEach(async () => {
    for (const thing of opened.splice(0)) await thing[Symbol.asyncDispose]();
    await images.close();
    await shards.close();
  });

  const options = () => ({
    folder: work.folder,
    // The engine that starts soonest.
    env: { REDIS_URL: redis.url, SLIDELIGHT_QUEUE: suffix, SLIDELIGHT_ENGINE: "onnxruntime" },
  });
  const run = (...args: readonly string[]) => slidelight(args, options());
  const job = () => ["--model", "model.onnx", "--out", `maps-${tests}`];
  const enqueue = (...args: readonly string[]) => run("enqueue", ...args, ...job(), "--json");
  const added = async (...args: readonly string[]): Promise<unknown> => JSON.parse((await enqueue(...args)).stdout);
  const counts = () => images.getJobCounts("wait", "prioritized", "delayed", "active", "waiting-children", "failed");
  const flagged = async (id: string | undefined) => (await client.exists(cancellationKey(id ?? ""))) === 1;
  const waiting = async (name: string): Promise<Job> => {
    const found = (await images.getJobs(["wait", "prioritized"])).find((each) => nameOf(each) === name);
    if (found === undefined) throw new Error(`${name} does not wait.`);
    return found;
  };

  /** Stands in for a worker, of jobs that a real one would take too long for. */
  function standIn(queue: Queue, does: (job: Job, token: string) => Promise<unknown>): Worker {
    const connection = client.duplicate();
    const worker = new Worker(queue.name, (each, token) => does(each, token ?? ""), { connection });
    opened.push({
      [Symbol.asyncDispose]: async () => {
        await worker.close(true);
        connection.disconnect();
      },
    });
    return worker;
  }

  /** Ends when the image's job is cancelled, as workers do. */
  const untilCancelled = async (id: string | undefined): Promise<never> => {
    await expect.poll(() => flagged(id), { timeout: 30_000, interval: 50 }).toBe(true);
    throw new UnrecoverableError("[cancelled] Explaining the image: it was cancelled.");
  };

  describe("slidelight enqueue", () => {
    test("puts urgent images before all that wait, and what is not urgent behind them", async () => {
      for (const [seed, name] of ["normal", "low", "high"].entries()) {
        await writeImage(join(work.folder, "priorities", `${name}.png`), { side: 40, seed: seed + 1 });
      }
      for (const name of ["low", "normal", "high"]) {
        expect(await added(`priorities/${name}.png`, "--priority", name)).toMatchObject({ added: 1 });
      }
      const done: string[] = [];
      standIn(images, async (each) => done.push(nameOf(each)));
      await expect.poll(() => done).toEqual(["high.png", "normal.png", "low.png"]);
      expect(await enqueue("images/", "--priority", "urgent")).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("expected high, normal, low"),
      });
    });

    test("asks for bad tiles to be tolerated only when it is told to", async () => {
      await enqueue("images/a.png");
      expect(await added("images/a.png", "--tolerate-bad-tiles")).toMatchObject({ added: 1 });
      const settings = (await images.getJobs(["wait"])).map((each) => each.data.settings.tolerateBadTiles);
      expect(settings).toEqual([true, undefined]);
    });

    test("holds each image once when two commands add them at the same time", async () => {
      await Promise.all([enqueue("images/"), enqueue("images/")]);
      expect(await counts()).toMatchObject({ wait: 2 });
    });

    test("leaves out images whose results are there with --new-only, and does again what has lost its results", async () => {
      expect(await run("explain", "images/a.png", ...job())).toMatchObject({ status: 0 });
      expect(await added("images/", "--new-only")).toMatchObject({ added: 1, done: 1, present: 0 });
      standIn(images, async () => []);
      await expect.poll(counts).toMatchObject({ wait: 0, active: 0 });
      // The queue says that it is done, the store that it is not.
      expect(await added("images/")).toMatchObject({ added: 1, present: 1 });
      await expect.poll(counts).toMatchObject({ wait: 0, active: 0 });
      expect(await added("images/", "--new-only")).toMatchObject({ added: 1, done: 1, present: 0 });
      // Another method has other results; at a resolution the level is known only when the image is open.
      expect(await added("images/a.png", "--new-only", "--method", "cam")).toMatchObject({ added: 1, done: 0 });
      expect(await added("images/a.png", "--new-only", "--mpp", "0.5")).toMatchObject({ added: 1, done: 0 });
    });

    test("takes up again what was cancelled", async () => {
      await enqueue("images/a.png");
      const { id } = await waiting("a.png");
      standIn(images, (each) => untilCancelled(each.id));
      await expect.poll(counts).toMatchObject({ active: 1 });
      expect(await run("cancel", "images/a.png")).toMatchObject({ status: 0 });
      await expect.poll(counts).toMatchObject({ failed: 1 });
      await opened.pop()?.[Symbol.asyncDispose]();
      expect(await added("images/a.png")).toMatchObject({ added: 0, retried: 1, failedBefore: 0 });
      expect(await counts()).toMatchObject({ wait: 1, failed: 0 });
      expect(await flagged(id)).toBe(false);
    });
  });

  describe("slidelight retry", () => {
    test("puts failed images back, all or those with some codes", async () => {
      await enqueue("images/");
      const reasons: Readonly<Record<string, string>> = { "a.png": "image-corrupt", "b.png": "store-denied" };
      standIn(images, async (each) => {
        throw new UnrecoverableError(`[${reasons[nameOf(each)] ?? ""}] no`);
      });
      await expect.poll(counts).toMatchObject({ failed: 2 });
      await opened.pop()?.[Symbol.asyncDispose]();
      const [lost] = await images.getFailed(0, -1);
      // As often as BullMQ lets a job lose its worker.
      await client.hset(images.toKey(lost?.id ?? ""), "stc", 10);
      expect(await run("retry", "--failed", "--code", "store-denied, engine-failed", "--json")).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('"retried": 1,\n  "left": 1'),
      });
      expect(nameOf(await waiting("b.png"))).toBe("b.png");
      expect(await run("retry", "--failed")).toMatchObject({ stdout: expect.stringContaining("1 failed images wait") });
      expect(await counts()).toMatchObject({ wait: 2, failed: 0 });
      expect((await images.getJobs(["wait"])).map(({ stalledCounter }) => stalledCounter)).toEqual([0, 0]);
    });

    test("says when it is not told what to retry, or an unknown code", async () => {
      expect(await run("retry")).toMatchObject({ status: 2, stderr: expect.stringContaining("expected --failed") });
      expect(await run("retry", "--failed", "--code", "bad-luck")).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('"bad-luck" is no code of a failure'),
      });
    });
  });

  describe("slidelight cancel", () => {
    test("removes what waits, by its key, its job's id and the id of one of its runs", async () => {
      for (const [seed, name] of ["one", "two", "three", "four"].entries()) {
        await writeImage(join(work.folder, "waiting", `${name}.png`), { side: 44, seed: seed + 1 });
      }
      const results = await run("explain", "waiting/two.png", ...job(), "--json");
      const explained = z
        .object({ results: z.array(z.object({ runId: z.string() })) })
        .parse(JSON.parse(results.stdout));
      const runId = explained.results[0]?.runId ?? "";
      await enqueue("waiting/", "--priority", "low");
      await enqueue("images/");
      const { id = "" } = await waiting("three.png");
      const cancelled = await run("cancel", "waiting/one.png", runId, id, "waiting/none.png", "--json");
      expect(cancelled.status).toBe(1);
      expect(cancelled.stderr).toContain("✓ waiting/one.png: 1 image waiting, removed");
      expect(cancelled.stderr).toContain("✗ waiting/none.png: nothing of this name waits or runs");
      expect(JSON.parse(cancelled.stdout)).toMatchObject({
        results: [
          { removed: 1 },
          { argument: runId, removed: 1 },
          { argument: id, removed: 1 },
          { removed: 0, stopping: 0 },
        ],
      });
      expect(nameOf(await waiting("four.png"))).toBe("four.png");
      expect(await counts()).toMatchObject({ prioritized: 1, wait: 2 });
    });

    test("tells the worker of a running image to stop, and leaves the others alone", async () => {
      await enqueue("images/");
      const worker = standIn(images, (each) => untilCancelled(each.id));
      worker.concurrency = 2;
      await expect.poll(counts).toMatchObject({ active: 2 });
      expect(await run("cancel", join(work.folder, "images", "b.png"))).toMatchObject({
        status: 0,
        stderr: expect.stringContaining("1 image running, told to stop"),
      });
      await expect.poll(counts).toMatchObject({ active: 1, failed: 1 });
      const [left] = await images.getJobs(["active"]);
      expect(await flagged(left?.id)).toBe(false);
    });

    /** An image whose job waits for shards. */
    async function split(count: number): Promise<Job> {
      await enqueue("images/a.png");
      const image = await waiting("a.png");
      standIn(images, async (each, token) => {
        if (await flagged(each.id)) throw new UnrecoverableError("[cancelled] It was cancelled.");
        const parent = { id: each.id ?? "", queue: each.queueQualifiedName };
        await shards.addBulk(
          Array.from({ length: count }, (_, index) => ({
            name: "shard",
            data: { imageJobId: each.id },
            opts: { jobId: `shard-${each.id}-${index}`, parent, failParentOnFailure: true },
          })),
        );
        if (await each.moveToWaitingChildren(token)) throw new WaitingChildrenError();
      });
      await expect.poll(counts).toMatchObject({ "waiting-children": 1 });
      return image;
    }

    test("ends an image that waits for its shards: those that wait are removed, and it with them", async () => {
      const image = await split(3);
      expect((await run("status")).stdout).toContain(
        "0 waiting, 1 running, 0 to be tried again, 0 done, 0 failed; shards: 3 waiting",
      );
      expect((await run("status")).stdout).toContain("a.png: 0 shards done, 3 left in this sweep");
      await opened.pop()?.[Symbol.asyncDispose]();
      expect(await run("cancel", "images/a.png")).toMatchObject({ status: 0 });
      expect(await shards.getJobCounts("wait", "active")).toMatchObject({ wait: 0, active: 0 });
      expect(await counts()).toMatchObject({ wait: 0, "waiting-children": 0, active: 0, failed: 0 });
      expect(await flagged(image.id)).toBe(true);
    });

    test("ends an image with a shard that runs through that shard's worker", async () => {
      const image = await split(3);
      standIn(shards, () => untilCancelled(image.id));
      await expect.poll(() => shards.getActiveCount()).toBe(1);
      expect(await run("cancel", "images/a.png")).toMatchObject({
        status: 0,
        stderr: expect.stringContaining("1 image running, told to stop"),
      });
      await expect.poll(counts).toMatchObject({ "waiting-children": 0, wait: 0, active: 0, failed: 1 });
      expect(await shards.getJobCounts("wait", "active")).toMatchObject({ wait: 0, active: 0 });
    });

    test("says when Redis does not answer", async () => {
      expect(await run("cancel", "a.png", "--redis", "redis://127.0.0.1:1")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("[queue-unavailable]"),
      });
    });
  });

  describe("slidelight report", () => {
    const report = z.object({
      entries: z.array(
        z.object({
          image: z.string(),
          key: z.string(),
          status: z.string(),
          runId: z.string().nullable(),
          method: z.string().nullable(),
          code: z.string().nullable(),
          attempts: z.number().nullable(),
        }),
      ),
      summary: z.object({
        done: z.number(),
        skipped: z.number(),
        failed: z.number(),
        failuresByCode: z.record(z.string(), z.number()),
      }),
    });
    const read = async (...args: readonly string[]) => {
      const { stdout, stderr } = await run("report", "--json", ...args);
      return { ...report.parse(JSON.parse(stdout)), stderr };
    };

    test("tells what the queue remembers, and why something failed", async () => {
      await writeImage(join(work.folder, "told", "good.png"), { side: 40, seed: 1 });
      await writeFile(join(work.folder, "told", "bad.png"), "this is no image");
      expect(await run("explain", "images/a.png", ...job())).toMatchObject({ status: 0 });
      await enqueue("told/", "images/a.png");
      await using worker = start(["worker", "--port", "0"], options());
      await worker.line("worker ready");
      await run("watch", "--until-empty");
      const { entries, summary } = await read();
      expect(summary).toEqual({ done: 1, skipped: 1, failed: 1, failuresByCode: { "image-not-an-image": 1 } });
      expect(entries.map(({ key, status, attempts }) => `${key} ${status} ${attempts}`).sort()).toEqual([
        "images/a.png skipped 1",
        "told/bad.png failed 1",
        "told/good.png done 1",
      ]);
      const { stdout } = await run("report");
      expect(stdout).toMatch(/done +1\n +skipped +1\n +failed +1\n/u);
      expect(stdout).toMatch(/✗ .*told\/bad.png \(grad-cam, top1\): \[image-not-an-image\] .* \(1 attempt, /u);
      expect((await run("status")).stdout).toMatch(/✗ .*told\/bad.png \(grad-cam, top1\): \[image-not-an-image\] /u);
      // What failed and left no record in the store is told with it.
      const ledger = await read("--out", `maps-${tests}`);
      expect(ledger.summary).toMatchObject({ done: 2, failed: 1 });
    });

    test("tells from the store alone what was done and what failed since, without Redis", async () => {
      expect(await run("explain", "images/", ...job(), "--method", "cam,grad-cam")).toMatchObject({ status: 0 });
      const store = openStore(join(work.folder, `maps-${tests}`));
      const fail = async (key: string, jobId: string, code: string, failedAt: string): Promise<void> => {
        const image = { uri: `/archive/${key}`, key, etag: jobId, bytes: 1 };
        const model = { uri: "model.onnx", sha256: "ab" };
        const what = { methods: ["cam"], targets: ["top1"], code, message: `<b>"${code}", again</b>` };
        const record: FailureRecord = {
          schemaVersion: 1,
          image,
          model,
          jobId,
          ...what,
          attempts: 5,
          failedAt,
          worker: "w",
          log: [],
        };
        await store.put(failureKey(record), encodeFailureRecord(record));
      };
      await fail("images/a.png", "image-1", "store-unavailable", "2020-01-01T00:00:00.000Z");
      await fail("images/b.png", "image-2", "image-corrupt", "2100-01-01T00:00:00.000Z");
      await fail("<i>,c.png", "image-3", "image-corrupt", "2021-01-01T00:00:00.000Z");
      await fail("<i>,c.png", "image-4", "image-truncated", "2022-01-01T00:00:00.000Z");
      const ledger = ["--out", `maps-${tests}`, "--redis", "redis://127.0.0.1:1"];
      const { entries, summary, stderr } = await read(...ledger);
      expect(stderr).toContain("The queue is left out of the report");
      expect(summary).toEqual({
        done: 4,
        skipped: 0,
        failed: 2,
        failuresByCode: { "image-corrupt": 1, "image-truncated": 1 },
      });
      expect(entries.map(({ key, status, method, code }) => `${key} ${status} ${method} ${code}`).sort()).toEqual([
        "<i>,c.png failed cam image-truncated",
        "images/a.png done cam null",
        "images/a.png done grad-cam null",
        "images/b.png done cam null",
        "images/b.png done grad-cam null",
        "images/b.png failed cam image-corrupt",
      ]);
      const csv = (await run("report", "--csv", ...ledger)).stdout.split("\r\n");
      expect(csv[0]).toBe("image,key,status,runId,method,target,output,code,message,attempts,at");
      expect(csv[1]).toBe(
        '"/archive/<i>,c.png","<i>,c.png",failed,,cam,top1,,image-truncated,"<b>""image-truncated"", again</b>",5,2022-01-01T00:00:00.000Z',
      );
      expect(csv).toHaveLength(8);
      expect(await run("report", "--html", "report.html", ...ledger)).toMatchObject({ status: 0 });
      const html = await readFile(join(work.folder, "report.html"), "utf8");
      expect(html).toContain("&lt;b&gt;&quot;image-truncated&quot;, again&lt;/b&gt;");
      expect(html).not.toContain("<i>,c.png");
      expect(html.match(/<tr data-status="done">/gu)).toHaveLength(4);
      expect(html).not.toMatch(/(?:src|href)=/u);
      const text = await run("report", ...ledger);
      expect(text.stdout).toMatch(/done +4\n +skipped +0\n +failed +2\n/u);
    });

    test("tells what is there and cannot be read", async () => {
      const runFolder = "0".repeat(32);
      await mkdir(join(work.folder, `maps-${tests}`, "x.png", runFolder), { recursive: true });
      await writeFile(join(work.folder, `maps-${tests}`, "x.png", runFolder, "manifest.json"), "{}");
      const { summary, entries } = await read("--out", `maps-${tests}`);
      expect(summary.failuresByCode).toEqual({ "job-invalid": 1 });
      expect(entries).toMatchObject([{ key: "x.png", status: "failed" }]);
      await rm(join(work.folder, `maps-${tests}`), { recursive: true });
    });

    test("says when two forms are asked for, the page cannot be written, or there are no results", async () => {
      expect(await run("report", "--csv", "--json")).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("give one of --json, --csv and --html"),
      });
      expect(await run("report", "--html", "no/folder/report.html")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("[output-unwritable]"),
      });
      expect(await run("report", "--out", "no-such-folder")).toMatchObject({
        status: 1,
        stdout: "",
        stderr: expect.stringMatching(
          /\[store-not-found\] .*no-such-folder failed: expected a folder, and there is none/u,
        ),
      });
      expect(await run("report", "--redis", "redis://127.0.0.1:1")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("[queue-unavailable]"),
      });
    });
  });

  test("every command tells its options", async () => {
    const commands = ["cancel", "retry", "report", "schedule", "schedules", "unschedule", "planner"];
    const helps = await Promise.all(commands.map((command) => run(command, "--help")));
    for (const help of helps)
      expect(help).toMatchObject({ status: 0, stdout: expect.stringContaining("--redis <url>") });
  });
});

describe.skipIf(missing !== undefined || s3Missing() !== undefined)("an archive in S3", () => {
  test("is added without what has its results, and reported from its results", async () => {
    await using redis = await startRedisServer();
    await using server = await startS3Server();
    await using work = await openWorkplace();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const s3 = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
    await s3Client(s3).send(new CreateBucketCommand({ Bucket: "archive" }));
    const store = openStore("s3://archive", { s3 });
    await store.putFile("slides/a.png", join(work.folder, "images", "a.png"));
    await store.putFile("slides/Fall 7/größe.png", join(work.folder, "images", "b.png"));
    // Where the store keeps work in progress nothing is looked for.
    await store.put(`maps/.slidelight/plans/${"0".repeat(32)}/manifest.json`, new Uint8Array());
    const aws = { AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: region };
    const credentials = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const options = { folder: work.folder, env: { REDIS_URL: redis.url, ...aws, ...credentials } };
    const job = ["--model", "model.onnx", "--out", "s3://archive/maps/"];
    const explained = await slidelight(["explain", "s3://archive/slides/a.png", ...job], options);
    expect(explained.status, explained.stderr).toBe(0);
    // Nor what the SDK has to say about Node 20.
    expect(explained.stderr).not.toContain("Warning");
    const added = await slidelight(["enqueue", "s3://archive/slides/", ...job, "--new-only", "--json"], options);
    expect(JSON.parse(added.stdout), added.stderr).toMatchObject({ added: 1, done: 1 });
    // Before anything is computed, which the place where it is put would find out after all.
    const nowhere = ["--model", "model.onnx", "--out", "s3://no-such-bucket/maps", "--json"];
    const refused = await slidelight(["explain", "images/", ...nowhere], options);
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\[store-not-found\] Looking up .*manifest\.json failed: NoSuchBucket/u),
    });
    const told = await slidelight(["report", "--out", "s3://archive/maps/", "--csv"], options);
    const [, line = "", ...rest] = told.stdout.split("\r\n");
    expect(line).toMatch(
      /^s3:\/\/archive\/slides\/a\.png,slides\/a\.png,done,[0-9a-f]{32},grad-cam,\w+,s3:\/\/archive\/maps\/slides/u,
    );
    expect(rest).toEqual([""]);
  });
});
