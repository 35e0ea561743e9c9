import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { imageQueueName, shardQueueName } from "@slidelight/contract";
import { Queue } from "bullmq";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import type { RedisServer } from "./servers/redis-server.ts";
import { openWorkplace, slidelight, start, writeImage } from "./slidelight.ts";
import type { RunningCommand, Workplace } from "./slidelight.ts";

const missing = redisMissing();

const state = z.object({
  queue: z.string(),
  waiting: z.number(),
  active: z.number(),
  delayed: z.number(),
  completed: z.number(),
  failed: z.number(),
  failures: z.array(
    z.object({
      jobId: z.string(),
      image: z.string(),
      method: z.string().nullable(),
      target: z.string().nullable(),
      code: z.string(),
      message: z.string(),
      attempts: z.number(),
    }),
  ),
});

describe.skipIf(missing !== undefined)("the queue", () => {
  let redis: RedisServer;
  let work: Workplace;
  let queues = 0;
  beforeAll(async () => {
    redis = await startRedisServer();
    work = await openWorkplace();
  });
  afterAll(async () => {
    await work[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  /** The command on a queue of the test's own. */
  function openQueue() {
    queues += 1;
    const queue = `test-${process.pid}-${queues}`;
    // The engine that starts soonest.
    const options = {
      folder: work.folder,
      env: { REDIS_URL: redis.url, SLIDELIGHT_QUEUE: queue, SLIDELIGHT_ENGINE: "onnxruntime" },
    };
    const job = ["--model", "model.onnx", "--out", `maps-${queues}`];
    return {
      env: options.env,
      out: join(work.folder, `maps-${queues}`),
      run: (...args: readonly string[]) => slidelight(args, options),
      enqueue: (...args: readonly string[]) => slidelight(["enqueue", ...args, ...job, "--json"], options),
      enqueueList: (list: string) => slidelight(["enqueue", "-", ...job, "--json"], { ...options, input: list }),
      worker: (...args: readonly string[]) => start(["worker", "--port", "0", ...args], options),
      drain: () => slidelight(["watch", "--until-empty"], options),
      state: async () => state.parse(JSON.parse((await slidelight(["status", "--json"], options)).stdout)),
    };
  }

  const portOf = async (worker: RunningCommand): Promise<number> => {
    const line: unknown = JSON.parse(await worker.line("worker ready"));
    return z.object({ port: z.number() }).parse(line).port;
  };

  test("holds an image once, however often it is enqueued", async () => {
    const queue = openQueue();
    const first = await queue.enqueue("images/");
    expect(first.status, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ added: 2, present: 0, failures: [] });
    const second = await queue.enqueue("images/", "images/a.png");
    expect(JSON.parse(second.stdout)).toMatchObject({ added: 0, present: 3 });
    expect(await queue.state()).toMatchObject({ waiting: 2, active: 0, failed: 0 });
  });

  test("takes an image that has changed as another job", async () => {
    const queue = openQueue();
    await writeImage(join(work.folder, "changing", "image.png"), { side: 40, seed: 1 });
    expect(JSON.parse((await queue.enqueue("changing/")).stdout)).toMatchObject({ added: 1 });
    await writeImage(join(work.folder, "changing", "image.png"), { side: 41, seed: 2 });
    expect(JSON.parse((await queue.enqueue("changing/")).stdout)).toMatchObject({ added: 1, present: 0 });
  });

  test("reads a list from standard input, tells what is not there, and adds the rest", async () => {
    const queue = openQueue();
    const { status, stdout, stderr } = await queue.enqueueList(
      "# a comment\nimages/a.png\n\nnowhere.png\nimages/b.png\n",
    );
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      added: 2,
      failures: [{ image: "nowhere.png", error: { code: "image-not-found" } }],
    });
    expect(stderr).toContain("✗ nowhere.png: [image-not-found]");
  });

  test("says when there is no list, no image, no model or no Redis", async () => {
    const queue = openQueue();
    await mkdir(join(work.folder, "empty"), { recursive: true });
    expect(await queue.enqueue("nothing.txt")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("nothing.txt"),
    });
    expect(await queue.enqueue("empty/")).toMatchObject({ status: 1, stderr: expect.stringContaining("found none") });
    expect(await queue.run("enqueue", "images/", "--model", "no.onnx", "--out", "o")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[model-not-found]"),
    });
    expect(await queue.run("status", "--redis", "redis://127.0.0.1:1")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[queue-unavailable]"),
    });
    expect(await queue.run("worker", "--redis", "redis://127.0.0.1:1")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[queue-unavailable]"),
    });
  });

  test("explains every image but a poisoned one, which fails at once with its code", async () => {
    const queue = openQueue();
    await writeImage(join(work.folder, "mixed", "good.png"), { side: 50, seed: 4 });
    await writeFile(join(work.folder, "mixed", "poisoned.png"), "this is no image");
    await queue.enqueue("mixed/", "images/");
    // What something else has written is named by its job alone.
    const images = new Queue(imageQueueName(queue.env.SLIDELIGHT_QUEUE), { connection: { url: redis.url } });
    await images.add("image", { strange: true }, { jobId: "image-strange" });
    await images.close();
    await using worker = queue.worker("--engine", "auto");
    await worker.line("worker ready");
    expect(await queue.drain()).toMatchObject({ status: 1, stderr: expect.stringContaining("[image-not-an-image]") });
    const { completed, failed, failures } = await queue.state();
    expect({ completed, failed }).toEqual({ completed: 3, failed: 2 });
    const poisoned = join(work.folder, "mixed", "poisoned.png");
    const found = failures.sort((one, other) => (one.code < other.code ? -1 : 1));
    expect(found).toMatchObject([
      {
        jobId: expect.stringMatching(/^image-[\da-f]{32}$/u),
        image: poisoned,
        code: "image-not-an-image",
        attempts: 1,
      },
      { jobId: "image-strange", image: "an unknown image (job image-strange)", code: "job-invalid", attempts: 1 },
    ]);
    const manifests = (await readdir(queue.out, { recursive: true })).filter((name) => name.endsWith("manifest.json"));
    expect(manifests).toHaveLength(3);
    worker.kill("SIGTERM");
    expect(await worker.outcome).toMatchObject({ status: 0 });
  });

  test("tries what failed for a passing reason again when it is enqueued again, and nothing else", async () => {
    const queue = openQueue();
    await mkdir(join(work.folder, "mixed"), { recursive: true });
    await writeFile(join(work.folder, "mixed", "poisoned.png"), "this is no image");
    // No server is there: the results can't be looked up.
    const store = { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1", AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
    const options = { folder: work.folder, env: { ...queue.env, ...store, AWS_REGION: "us-east-1" } };
    const enqueue = () =>
      slidelight(
        ["enqueue", "images/a.png", "mixed/poisoned.png", "--model", "model.onnx", "--out", "s3://nowhere/maps"].concat(
          ["--attempts", "1", "--json"],
        ),
        options,
      );
    expect(JSON.parse((await enqueue()).stdout)).toMatchObject({ added: 2, retried: 0, present: 0, failedBefore: 0 });
    const worker = start(["worker", "--port", "0"], options);
    await worker.line("worker ready");
    await queue.drain();
    await worker[Symbol.asyncDispose]();
    expect((await queue.state()).failures.map(({ code }) => code).sort()).toEqual([
      "image-not-an-image",
      "store-unavailable",
    ]);
    const again = await enqueue();
    expect(again.status).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ added: 0, retried: 1, present: 0, failedBefore: 1 });
    expect(await queue.state()).toMatchObject({
      waiting: 1,
      failed: 1,
      failures: [{ method: "grad-cam", target: "top1", code: "image-not-an-image" }],
    });
  });

  test("leaves out the results that lie under the prefix", async () => {
    const queue = openQueue();
    await writeImage(join(work.folder, "together", "image.png"), { side: 40, seed: 8 });
    const inside = ["--model", "model.onnx", "--out", "together/maps"];
    expect(await queue.run("explain", "together/", ...inside)).toMatchObject({ status: 0 });
    const { stdout } = await queue.run("enqueue", "together/", ...inside, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ added: 1, failures: [] });
  });

  test("tells its health and its metrics", async () => {
    const queue = openQueue();
    await queue.enqueue("images/");
    await using worker = queue.worker();
    const address = `http://127.0.0.1:${await portOf(worker)}`;
    await queue.drain();
    const get = async (path: string) => {
      const response = await fetch(address + path);
      return { status: response.status, text: await response.text() };
    };
    expect(await get("/healthz")).toMatchObject({ status: 200 });
    expect(await get("/readyz")).toMatchObject({ status: 200 });
    expect(await get("/else")).toMatchObject({ status: 404 });
    const { text } = await get("/metrics");
    // Every one also tells the class of the worker.
    const value = (name: string) => {
      const [metric = "", labels = ""] = name.split(/[{}]/u);
      const wanted = labels.split(",");
      const line = text
        .split("\n")
        .find((one) => /^[^{]*/u.exec(one)?.[0] === metric && wanted.every((label) => one.includes(label)));
      return Number(line?.split(" ").at(-1));
    };
    expect(value('slidelight_images_total{status="done"}')).toBe(2);
    expect(value('slidelight_queue_jobs{queue="images",state="completed"}')).toBe(2);
    // One tile an image, one sweep: the pixels of both.
    expect(value("slidelight_tiles_total")).toBe(2);
    expect(value("slidelight_pixels_total")).toBe(48 * 48 + 57 * 57);
    for (const name of [
      "slidelight_read_bytes_total",
      "slidelight_written_bytes_total",
      "slidelight_engine_busy_seconds_total",
      'slidelight_stage_seconds_total{stage="compute"}',
      "process_resident_memory_bytes",
    ]) {
      expect(value(name), name).toBeGreaterThan(0);
    }
  });

  test("ends at once where its port is taken, as a planner does", async () => {
    const queue = openQueue();
    await using worker = queue.worker();
    const port = String(await portOf(worker));
    for (const command of ["worker", "planner"]) {
      expect(await queue.run(command, "--port", port)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(`Listening on port ${port} failed`),
      });
    }
  });

  test("is not ready while Redis does not answer, and gives its other metrics", async () => {
    await using own = await startRedisServer();
    if (own.pid === undefined) return;
    const env = { REDIS_URL: own.url };
    await using worker = start(["worker", "--port", "0"], { folder: work.folder, env });
    const address = `http://127.0.0.1:${await portOf(worker)}`;
    expect((await fetch(`${address}/readyz`)).status).toBe(200);
    process.kill(own.pid, "SIGSTOP");
    try {
      const ready = await fetch(`${address}/readyz`);
      expect({ status: ready.status, text: await ready.text() }).toEqual({
        status: 503,
        text: "Redis does not answer\n",
      });
      expect((await fetch(`${address}/healthz`)).status).toBe(200);
      const text = await (await fetch(`${address}/metrics`)).text();
      expect(text).toMatch(/^slidelight_tiles_total\{.*\} 0$/mu);
      expect(text).toMatch(/^slidelight_redis_up\{.*\} 0$/mu);
      expect(text).not.toMatch(/^slidelight_(?:queue_|redis_(?!up))/mu);
    } finally {
      process.kill(own.pid, "SIGCONT");
    }
    await expect.poll(async () => (await fetch(`${address}/readyz`)).status, { timeout: 20_000 }).toBe(200);
  });

  test("takes a break when it is paused, and goes on with what was added meanwhile", async () => {
    const queue = openQueue();
    await using worker = queue.worker();
    await worker.line("worker ready");
    expect(await queue.run("pause")).toMatchObject({ status: 0, stdout: expect.stringContaining("paused") });
    await queue.enqueue("images/");
    // It waits for a job already.
    await setTimeout(1500);
    expect(await queue.state()).toMatchObject({ waiting: 2, active: 0, completed: 0 });
    expect((await queue.run("status")).stdout).toContain("paused");
    expect(await queue.run("resume")).toMatchObject({ status: 0 });
    expect(await queue.drain()).toMatchObject({ status: 0 });
    expect(await queue.state()).toMatchObject({ completed: 2, failed: 0 });
    expect((await queue.run("status")).stdout).not.toContain("paused");
  });

  test("begins no job while the scratch disk is nearly full, and says so", async () => {
    const queue = openQueue();
    await using full = queue.worker("--min-free", "1000000000GB");
    const port = await portOf(full);
    await full.line("no jobs are taken until there is room");
    // It waits for a job already, and is given this one.
    await queue.enqueue("images/a.png");
    await full.line("image handed back");
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect([answer.status, await answer.text()]).toEqual([503, "the scratch disk is nearly full\n"]);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^slidelight_handed_back_total\{queue="images",reason="disk-full",.*\} [1-9]/mu);
    expect(await queue.state()).toMatchObject({ waiting: 1, active: 0, completed: 0, failed: 0 });
    await using other = queue.worker();
    await other.line("worker ready");
    expect(await queue.drain()).toMatchObject({ status: 0 });
  });

  test("hands the running image back on SIGTERM, and another worker does it", async () => {
    const queue = openQueue();
    await writeImage(join(work.folder, "long", "large.png"), { side: 2500, seed: 6 });
    await queue.enqueue("long/");
    await using first = queue.worker();
    // A worker that starts tells so before the first tile.
    await first.line("image started");
    first.kill("SIGTERM");
    const { status, stderr } = await first.outcome;
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("handed back");
    expect(await queue.state()).toMatchObject({ waiting: 1, active: 0, completed: 0, failed: 0 });
    await using second = queue.worker();
    await second.line("worker ready");
    expect(await queue.drain()).toMatchObject({ status: 0 });
    expect(await queue.state()).toMatchObject({ completed: 1, failed: 0 });
  });

  test("lets a worker go once nothing has been left to do for a while, however long a job waits for its next attempt", async () => {
    const queue = openQueue();
    await queue.enqueue("images/");
    const images = new Queue(imageQueueName(queue.env.SLIDELIGHT_QUEUE), { connection: { url: redis.url } });
    await using _ = { [Symbol.asyncDispose]: () => images.close() };
    const [job] = await images.getJobs(["wait"]);
    await job?.remove();
    await images.add("image", job?.data, { ...job?.opts, delay: 3000 });
    const { status, stderr } = await queue.worker("--until-idle", "1").outcome;
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("nothing is left to do");
    expect(await queue.state()).toMatchObject({ waiting: 0, active: 0, delayed: 0, completed: 2, failed: 0 });
    expect(await slidelight(["worker", "--until-idle", "0"], { folder: work.folder })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--until-idle (SLIDELIGHT_UNTIL_IDLE): expected a number of seconds"),
    });
  });

  test("fails an image of a damaged part with its place, leaves no shards of it, and does it once it is whole", async () => {
    const queue = openQueue();
    const image = join(work.folder, "damaged", "slide.tif");
    await mkdir(join(work.folder, "damaged"));
    const whole = await tiledImage();
    await writeFile(image, withDamagedTile(whole));
    // So short that each tile is a shard.
    const worker = () => queue.worker("--shard-seconds", "0.001");
    await queue.enqueue("damaged/", "--tissue", "off", "--tile", "128");
    await using first = worker();
    await using second = worker();
    await Promise.all([first.line("worker ready"), second.line("worker ready")]);
    expect(await queue.drain()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("tile at column 0, row 0"),
    });
    const store = new Queue(shardQueueName(queue.env.SLIDELIGHT_QUEUE), { connection: { url: redis.url } });
    await using _ = { [Symbol.asyncDispose]: () => store.close() };
    const left = () => store.getJobCounts("wait", "active", "delayed", "prioritized", "failed");
    await expect.poll(left).toEqual({ wait: 0, active: 0, delayed: 0, prioritized: 0, failed: 0 });
    expect((await queue.state()).failures).toMatchObject([{ code: "image-corrupt", attempts: 1 }]);
    await writeFile(image, whole);
    await queue.run("retry", "--failed");
    expect(await queue.drain()).toMatchObject({ status: 0 });
    expect(await queue.state()).toMatchObject({ completed: 1, failed: 0 });
    expect(await readdir(join(queue.out, ".slidelight"))).not.toContain("work");
  });
});

/** Eight by eight tiles. */
function tiledImage(): Promise<Buffer> {
  const side = 1024;
  const pixels = Buffer.from(Array.from({ length: side * side * 3 }, (_, index) => (index * index) % 251));
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .tiff({ tile: true, tileWidth: 128, tileHeight: 128, compression: "deflate" })
    .toBuffer();
}

/** The first tile lies behind the header. */
function withDamagedTile(whole: Buffer): Buffer {
  return Buffer.concat([whole.subarray(0, 8), Buffer.alloc(1000, 0x5a), whole.subarray(1008)]);
}
