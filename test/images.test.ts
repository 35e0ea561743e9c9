import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { imageQueueName, shardQueueName } from "@slidelight/contract";
import { writeTissueSlide } from "@slidelight/synthesis";
import { Queue } from "bullmq";
import sharp from "sharp";
import { GenericContainer, Network, Wait } from "testcontainers";
import type { StartedNetwork, StartedTestContainer } from "testcontainers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { HardenedContainer, images, imagesMissing, redisImage, removeContainer, stateOf } from "./servers/images.ts";
import { slidelight, smallModel, writeImage } from "./slidelight.ts";

const missing = imagesMissing();
const because = missing === undefined ? "" : ` (skipped: ${missing})`;

const resultsSchema = z.object({ results: z.tuple([z.object({ runId: z.string(), output: z.string() })]) });
const files = ["map.tif", "preview.jpg"] as const;

const root = fileURLToPath(new URL("..", import.meta.url));

describe("what goes into the images", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slidelight-assembled-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Puts an image's application together from this workspace's build, and runs its command. */
  const assembled = (image: string) => {
    const assemble = join(root, "deploy", "docker", "assemble.mjs");
    const { status, stderr } = spawnSync(process.execPath, [assemble, image, join(folder, image)], {
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
    const app = join(folder, image, "app");
    return {
      app,
      run: (...args: readonly string[]) => {
        const command = join(app, "apps", "cli", "bin", "slidelight.js");
        return spawnSync(process.execPath, [command, ...args], { cwd: folder, encoding: "utf8" });
      },
    };
  };

  test("is enough for a worker, and nothing that only developers and other machines need", async () => {
    const { app, run } = assembled("slidelight-worker-cpu");
    await writeFile(join(folder, "model.onnx"), smallModel());
    await writeImage(join(folder, "a.png"), { side: 48, seed: 1 });
    const job = ["--model", "model.onnx", "--out", "maps", "--engine", "onnxruntime"];
    const { status, stderr } = run("explain", "a.png", ...job);
    expect(status, stderr).toBe(0);
    expect(run("enqueue", "a.png", ...job)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("needs the package @slidelight/producer, which is not installed here"),
    });
    const files = await readdir(app, { recursive: true });
    const unwanted = /(?:^|\/)(?:typescript|vitest|testcontainers|darwin|win32)\/|\.(?:ts|map)$|\.test\.js$/u;
    expect(files.filter((file) => unwanted.test(file))).toEqual([]);
    expect(files.filter((file) => file.endsWith("onnxruntime_binding.node"))).toHaveLength(1);
  });

  test("is enough for a producer, without any engine", async () => {
    const { app, run } = assembled("slidelight-producer");
    expect(run("status", "--redis", "redis://127.0.0.1:1")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[queue-unavailable]"),
    });
    const packages = await readdir(join(app, "node_modules"));
    expect(packages).toContain("bullmq");
    for (const engine of ["onnxruntime-node", "koffi", "@tensorflow"]) expect(packages).not.toContain(engine);
  });

  test("stands on exact versions", async () => {
    const bases = (await readFile(join(root, "deploy", "docker", "Dockerfile"), "utf8")).matchAll(
      /^ARG (?:DEBIAN|NODE|NODE_TFJS)=(\S+)$/gmu,
    );
    const names = [...bases].map(([, image]) => image);
    expect(names).toHaveLength(3);
    for (const name of names) expect(name).toMatch(/^(?:debian:\d+\.\d+-slim|node:\d+\.\d+\.\d+-trixie-slim)$/u);
  });
});

describe.skipIf(missing !== undefined)(`the container images${because}`, () => {
  let folder: string;
  let network: StartedNetwork;
  let redis: StartedTestContainer;
  let hostRedis: string;
  const inside = { REDIS_URL: "redis://redis:6379", SLIDELIGHT_ENGINE: "onnxruntime" };
  const job = ["--model", "model.onnx", "--out", "maps"];

  /** A container with the test's folder at the same place, so that paths mean the same inside. */
  const container = (image: string, command: readonly string[]) =>
    new HardenedContainer(image)
      .withNetwork(network)
      .withBindMounts([{ source: folder, target: folder, mode: "rw" }])
      .withWorkingDir(folder)
      .withEnvironment(inside)
      .withCommand([...command]);

  /** Runs a command of an image to its end. @throws when it fails. */
  const toItsEnd = async (started: GenericContainer): Promise<void> => {
    const ended = await started.withWaitStrategy(Wait.forOneShotStartup()).start();
    await ended.stop();
  };

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "slidelight-images-")));
    await chmod(folder, 0o755);
    // The image's user writes here.
    await mkdir(join(folder, "maps"));
    await chmod(join(folder, "maps"), 0o777);
    await writeFile(join(folder, "model.onnx"), smallModel());
    await writeTissueSlide(join(folder, "tissue.tif"), join(folder, "mask.tif"), {
      width: 1200,
      height: 900,
      seed: 5,
      atypical: 0.3,
    });
    const image = redisImage();
    network = await new Network().start();
    redis = await new GenericContainer(image)
      .withNetwork(network)
      .withNetworkAliases("redis")
      .withExposedPorts(6379)
      .start();
    hostRedis = `redis://${redis.getHost()}:${redis.getMappedPort(6379)}`;
  });
  afterAll(async () => {
    // What lies there belongs to the image's user.
    const remove = ["find", join(folder, "maps"), "-mindepth", "1", "-delete"];
    await toItsEnd(container(images.workerCpu, remove.slice(1)).withEntrypoint(remove.slice(0, 1)));
    await redis.stop();
    await network.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("explain a slide through the queue as the host does, with nothing to write but scratch, and stop when told to", async () => {
    const lines: string[] = [];
    const worker = await container(images.workerCpu, ["worker"])
      .withLogConsumer((stream) => void createInterface({ input: stream }).on("line", (line) => lines.push(line)))
      .withWaitStrategy(Wait.forLogMessage("worker ready"))
      .start();
    const said = (text: string) => expect.poll(() => lines.some((line) => line.includes(text)), { timeout: 60_000 });
    try {
      await toItsEnd(container(images.producer, ["enqueue", "tissue.tif", ...job]));
      const host = await slidelight(
        ["explain", "tissue.tif", "--model", "model.onnx", "--out", "host", "--engine", "onnxruntime", "--json"],
        { folder },
      );
      expect(host.status, host.stderr).toBe(0);
      const [{ runId, output }] = resultsSchema.parse(JSON.parse(host.stdout)).results;
      await said(runId).toBe(true);
      for (const file of files) {
        const [inContainer, onHost] = await Promise.all(
          [join(folder, "maps", "tissue.tif", runId), join(folder, output)].map((place) => readFile(join(place, file))),
        );
        expect(onHost?.equals(inContainer ?? Buffer.alloc(0)), file).toBe(true);
      }
      await expect.poll(() => stateOf(worker.getId()).health, { timeout: 60_000, interval: 500 }).toBe("healthy");
      const identity = await worker.exec(["sh", "-c", "id -u; id -g; touch /app/new /home/slidelight/new 2>&1"]);
      expect(identity.output).toMatch(/^10001\n10001\n.*Read-only file system\n.*Read-only file system\n$/u);

      // So large that it can't be done before the worker is told to stop.
      const blank = { width: 12_000, height: 12_000, channels: 3, background: "#c080a0" } as const;
      const tiled = { tile: true, tileWidth: 256, tileHeight: 256, compression: "deflate" } as const;
      await sharp({ create: blank, limitInputPixels: false }).tiff(tiled).toFile(join(folder, "large.tif"));
      const queued = await slidelight(["enqueue", "large.tif", "--tissue", "off", ...job], {
        folder,
        env: { REDIS_URL: hostRedis },
      });
      expect(queued.status, queued.stderr).toBe(0);
      await expect
        .poll(() => lines.some((line) => line.includes("started") && line.includes("large.tif")), { timeout: 60_000 })
        .toBe(true);
      // After these seconds it would be killed, and its status be 137.
      await worker.stop({ remove: false, timeout: 20_000 });
      expect(stateOf(worker.getId()).exitCode, lines.join("\n")).toBe(0);
      await said("handed back").toBe(true);
      // A divided image waits for its shards.
      for (const name of [imageQueueName(undefined), shardQueueName(undefined)]) {
        const queue = new Queue(name, { connection: { url: hostRedis } });
        expect(await queue.getJobCounts("active", "failed"), name).toEqual({ active: 0, failed: 0 });
        await queue.close();
      }
    } finally {
      removeContainer(worker.getId());
    }
  });

  test("have what they say: OpenVINO is there, and taken", async () => {
    const lines: string[] = [];
    const engines = container(images.workerCpu, ["engines", "--json"]).withLogConsumer((stream) => {
      createInterface({ input: stream }).on("line", (line) => lines.push(line));
    });
    await toItsEnd(engines);
    const found = JSON.parse(lines.slice(lines.indexOf("{")).join("\n"));
    expect(found).toMatchObject({ auto: { engine: "openvino", provider: "cpu" } });
  });

  test("hold no other app than their own, and say so", async () => {
    const lines: string[] = [];
    const explain = container(images.producer, ["explain", "tissue.tif"]).withLogConsumer((stream) => {
      createInterface({ input: stream }).on("line", (line) => lines.push(line));
    });
    await expect(toItsEnd(explain)).rejects.toThrow();
    expect(lines.join("\n")).toContain('"explain" needs the package @slidelight/worker, which is not installed here');
  });
});
