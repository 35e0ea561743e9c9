import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imageJobId, imageQueueName, planQueueName, shardQueueName } from "@slidelight/contract";
import type { ImageJob } from "@slidelight/contract";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import type { RedisServer } from "./servers/redis-server.ts";
import { openTraceReceiver } from "./servers/trace-receiver.ts";
import type { ReceivedSpan, TraceReceiver } from "./servers/trace-receiver.ts";
import { openWorkplace, slidelight, start, writeImage } from "./slidelight.ts";
import type { Workplace } from "./slidelight.ts";

const missing = redisMissing();

const lineSchema = z
  .object({
    level: z.enum(["debug", "info", "warn", "error", "fatal"]),
    time: z.iso.datetime(),
    msg: z.string().min(1),
    queue: z.string(),
    worker: z.string().optional(),
    planner: z.string().optional(),
    jobId: z.string().optional(),
    imageJobId: z.string().optional(),
    runIds: z.array(z.string().regex(/^[0-9a-f]{32}$/u)).optional(),
  })
  .loose();
type Line = z.output<typeof lineSchema>;

const parseLines = (stderr: string): readonly Line[] =>
  stderr
    .trimEnd()
    .split("\n")
    .map((line) => lineSchema.parse(JSON.parse(line)));

const secrets = { AWS_ACCESS_KEY_ID: "not-an-id", AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/secret" };
const password = "correct-horse-battery";

/** The texts of the handbook, with the levels that they may have. */
function handbook(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");
  const rows = text.matchAll(/^\| `([^`]+)` \| ((?:debug|info|warn|error|fatal)(?:, \w+)*) \|/gmu);
  return new Map([...rows].map(([, msg = "", levels = ""]) => [msg, levels.split(", ")] as const));
}

test("the handbook lists the texts of the log, and no others", () => {
  const log = /\blog(?:\.\w+|\[[^\]]+\])\(\s*(?:(?:\{[^;]*?\}|\w+),\s*)?(?:"([^"]+)"|`([^`]+)`),?\s*\)/giu;
  const sources = ["contract", "producer", "worker"].flatMap((app) => {
    const folder = new URL(`../apps/${app}/src/`, import.meta.url);
    const names = readdirSync(folder).filter((name) => !name.endsWith(".test.ts"));
    return names.map((name) => readFileSync(new URL(name, folder), "utf8"));
  });
  const found = sources.flatMap((source) => [...source.matchAll(log)].map(([, plain, kinds]) => plain ?? kinds ?? ""));
  const texts = found.flatMap((text) =>
    text.includes("${") ? ["image", "shard"].map((noun) => text.replace("${kind.noun}", noun)) : [text],
  );
  expect(new Set(texts)).toEqual(new Set(handbook().keys()));
});

describe.skipIf(missing !== undefined)("a worker and a planner", () => {
  let redis: RedisServer;
  let work: Workplace;
  let receiver: TraceReceiver;
  const queue = `told-${process.pid}`;
  const job = ["--model", "model.onnx", "--out", "maps", "--method", "saliency", "--tissue", "off", "--tile", "32"];
  const traces = { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test" };
  const env = (more: Readonly<Record<string, string>> = {}) => {
    const url = new URL(redis.url);
    return { REDIS_URL: url.href, SLIDELIGHT_QUEUE: queue, ...secrets, ...more };
  };
  const tracing = () => env({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...traces });
  let images: Queue;
  let lines: { readonly workers: readonly Line[]; readonly planner: readonly Line[] };
  let stderr = "";

  /** Everything that there is to tell: images that succeed, fail and are divided, a plan that adds another one. */
  beforeAll(async () => {
    redis = await startRedisServer();
    work = await openWorkplace();
    receiver = await openTraceReceiver();
    const { folder } = work;
    await mkdir(join(folder, "archive"));
    await writeFile(join(folder, "archive", "poisoned.png"), "this is no image");
    await writeImage(join(folder, "archive", "large.png"), { side: 110, seed: 5 });
    await writeImage(join(folder, "planned", "planned.png"), { side: 44, seed: 6 });
    images = new Queue(imageQueueName(queue), { connection: { url: redis.url } });
    const options = { folder, env: tracing() };
    expect(await slidelight(["enqueue", "archive/", "images/a.png", ...job], options)).toMatchObject({ status: 0 });
    // By somebody who does not trace.
    await writeImage(join(folder, "late.png"), { side: 70, seed: 7 });
    expect(await slidelight(["enqueue", "late.png", ...job], { folder, env: env() })).toMatchObject({ status: 0 });
    const plan = ["schedule", "nightly", "planned/", "--cron", "0 1 * * *", ...job];
    expect(await slidelight(plan, options)).toMatchObject({ status: 0 });
    await using planner = start(["planner", "--port", "0"], options);
    await due("nightly");
    await planner.line("plan done");
    const args = ["worker", "--port", "0", "--engine", "onnxruntime", "--shard-seconds", "0.0001"];
    await using first = start(args, options);
    await using second = start(args, options);
    await slidelight(["watch", "--until-empty"], { folder, env: env() });
    for (const process of [planner, first, second]) process.kill("SIGTERM");
    const outcomes = await Promise.all([planner, first, second].map(({ outcome }) => outcome));
    expect(outcomes.map(({ status }) => status)).toEqual([0, 0, 0]);
    const [told = [], ...others] = outcomes.map((outcome) => parseLines(outcome.stderr));
    lines = { planner: told, workers: others.flat() };
    stderr = outcomes.map((outcome) => outcome.stderr).join("");
  });

  afterAll(async () => {
    await images.close();
    await receiver[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  async function due(name: string): Promise<void> {
    const plans = new Queue(planQueueName, { connection: { url: redis.url } });
    const scheduler = await plans.getJobScheduler(name);
    await plans.add("plan", scheduler?.template?.data, { ...scheduler?.template?.opts });
    await plans.close();
  }

  const linesOf = (name: string): readonly Line[] => lines.workers.filter(({ image }) => String(image).endsWith(name));
  const idOf = (name: string): string => {
    const [id] = new Set(linesOf(name).map(({ jobId, imageJobId }) => imageJobId ?? jobId));
    return id ?? "";
  };

  test("name the job, the image and its queue in each line about a job, and the runs once they are known", () => {
    for (const name of ["a.png", "large.png", "late.png", "planned.png"]) {
      const about = linesOf(name);
      const ended = about.findIndex(({ runIds }) => runIds !== undefined);
      expect(ended).toBeGreaterThanOrEqual(0);
      expect(about.filter(({ msg }) => msg === "image explained")).toMatchObject([
        { runId: about[ended]?.runIds?.[0], status: "done", method: "saliency", seconds: expect.any(Number) },
      ]);
      for (const { msg, jobId, worker, attempt, queue: where } of about) {
        expect({ msg, jobId, worker, attempt, where }).toEqual({
          msg,
          jobId: expect.stringMatching(/^(?:image|shard)-[0-9a-f-]+$/u),
          worker: expect.any(String),
          attempt: 1,
          where: jobId?.startsWith("shard") === true ? shardQueueName(queue) : imageQueueName(queue),
        });
      }
    }
    const unknown = lines.workers.filter(({ msg, runIds }) => /(?:explained|divided|shard done)/u.test(msg) && !runIds);
    expect(unknown).toEqual([]);
    // Every line with a job is about an image that is known.
    expect(lines.workers.filter(({ jobId, image }) => jobId !== undefined && typeof image !== "string")).toEqual([]);
    expect(linesOf("poisoned.png").at(-1)).toMatchObject({
      level: "error",
      msg: "image failed",
      code: "image-not-an-image",
      why: expect.stringContaining("poisoned.png"),
      last: true,
    });
  });

  test("name the image's job, sweep and shard in each line about a shard", () => {
    const shards = linesOf("large.png").filter(({ msg }) => msg.startsWith("shard "));
    expect(shards.filter(({ msg }) => msg === "shard done").length).toBeGreaterThan(10);
    for (const line of shards) {
      expect(line).toMatchObject({
        imageJobId: idOf("large.png"),
        sweep: expect.any(Number),
        shard: expect.any(Number),
      });
    }
    expect(new Set(shards.map(({ sweep }) => sweep))).toEqual(new Set([0, 1]));
  });

  test("tell what a plan did, with its job", () => {
    const about = lines.planner.filter(({ msg }) => msg.startsWith("plan "));
    expect(about.map(({ msg }) => msg)).toEqual(["plan started", "plan done"]);
    for (const line of about) {
      expect(line).toMatchObject({ schedule: "nightly", jobId: expect.any(String), queue: planQueueName, attempt: 1 });
    }
    expect(about.at(-1)).toMatchObject({ added: 1 });
  });

  test("say nothing but what the handbook lists", () => {
    const said = new Set([...lines.workers, ...lines.planner].map(({ level, msg }) => `${level}: ${msg}`));
    const listed = [...handbook()].flatMap(([msg, levels]) => levels.map((level) => `${level}: ${msg}`));
    expect([...said].filter((line) => !listed.includes(line))).toEqual([]);
    expect(said.size).toBeGreaterThan(10);
  });

  test("log no secrets", async () => {
    for (const secret of Object.values(secrets)) expect(stderr).not.toContain(secret);
    await using own = await startRedisServer();
    if (own.pid === undefined) return;
    // In no test's way when it fails: its server goes first.
    const admin = new Redis(own.url, { retryStrategy: () => null });
    await admin.config("SET", "requirepass", password);
    const locked = new URL(own.url);
    locked.password = password;
    const options = { folder: work.folder, env: { REDIS_URL: locked.href } };
    await using worker = start(["worker", "--port", "0", "--engine", "onnxruntime"], options);
    expect(JSON.parse(await worker.line("worker ready"))).toMatchObject({ redis: own.url.replace("//", "//:***@") });
    // The client's error holds the command that was refused, and the password in it.
    await admin.config("SET", "requirepass", "another");
    await admin.client("KILL", "TYPE", "normal");
    const refused: unknown = JSON.parse(await worker.line(/WRONGPASS.*Redis is out of reach/u));
    expect(refused).toMatchObject({ level: "warn", err: { type: "ReplyError" } });
    admin.disconnect();
    expect(worker.errors().join("")).not.toContain(password);
    expect(parseLines(worker.errors().join("\n")).length).toBeGreaterThan(2);
  });

  const spansOf = (jobId: string): readonly ReceivedSpan[] => {
    const root = receiver.spans.find(
      ({ name, attributes }) => name === "enqueue image" && attributes["messaging.message.id"] === jobId,
    );
    return receiver.spans.filter(({ traceId }) => traceId === root?.traceId);
  };
  /** In the order in which they began: workers send theirs in batches, now and then. */
  const named = (spans: readonly ReceivedSpan[], name: string): readonly ReceivedSpan[] =>
    spans
      .filter((span) => span.name === name)
      .sort((one, other) => Number(one.startTimeUnixNano - other.startTimeUnixNano));

  test("trace an image from the enqueue through its shards on other workers to the commit", () => {
    const spans = spansOf(idOf("large.png"));
    const [enqueued, ...others] = spans.filter(({ parentSpanId }) => (parentSpanId ?? "") === "");
    expect(others).toEqual([]);
    expect(enqueued).toMatchObject({ name: "enqueue image", kind: 4 });
    const held = named(spans, "process image");
    // Once for each sweep, and to assemble.
    expect(held.map(({ attributes }) => attributes["slidelight.outcome"])).toEqual(["divided", "divided", "done"]);
    expect(new Set(held.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([enqueued?.spanId]));
    const shards = named(spans, "process shard");
    expect(shards.length).toBeGreaterThan(10);
    for (const [sweep, holding] of held.slice(0, 2).entries()) {
      const own = shards.filter(({ attributes }) => attributes["slidelight.sweep"] === sweep);
      expect(new Set(own.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([holding.spanId]));
    }
    const workers = new Set(shards.map(({ resource }) => resource["service.instance.id"]));
    expect(workers.size).toBe(2);
    const partsOf = (span: ReceivedSpan | undefined) =>
      spans.filter(({ parentSpanId }) => parentSpanId === span?.spanId).map(({ name }) => name);
    expect(partsOf(held[0])).toEqual(expect.arrayContaining(["open", "plan", "process shard"]));
    expect(partsOf(held[2])).toEqual(expect.arrayContaining(["open", "plan", "collect", "assemble", "commit"]));
    for (const shard of shards) expect(partsOf(shard)).toEqual(expect.arrayContaining(["open", "plan", "compute"]));
    const runs = linesOf("large.png").findLast(({ runIds }) => runIds !== undefined)?.runIds;
    for (const span of [enqueued, ...held, ...shards]) {
      expect(span?.attributes["slidelight.run_ids"]).toEqual(runs);
      expect(span?.attributes["slidelight.image"]).toEqual(expect.stringContaining("large.png"));
    }
    for (const { startTimeUnixNano, endTimeUnixNano, resource } of spans) {
      expect(endTimeUnixNano).toBeGreaterThanOrEqual(startTimeUnixNano);
      expect(resource["deployment.environment"]).toBe("test");
    }
    expect(shards.reduce((sum, { attributes }) => sum + Number(attributes["slidelight.pixels"]), 0)).toBe(
      2 * 110 * 110,
    );
  });

  test("trace an image that a plan has added, and point to the plan", () => {
    const [image] = named(spansOf(idOf("planned.png")), "enqueue image");
    const [plan] = named(receiver.spans, "plan nightly");
    expect(image).toMatchObject({
      resource: { "service.name": "slidelight-planner" },
      links: [{ traceId: plan?.traceId, spanId: plan?.spanId }],
    });
    expect(plan?.attributes).toMatchObject({ "slidelight.images.added": 1, "slidelight.outcome": "done" });
    expect(lines.planner.find(({ msg }) => msg === "plan done")).toMatchObject({ trace_id: plan?.traceId });
  });

  test("trace an image whose producer does not, from its first worker on", () => {
    const id = idOf("late.png");
    const [held] = receiver.spans.filter(({ attributes }) => attributes["messaging.message.id"] === id);
    const spans = receiver.spans.filter(({ traceId }) => traceId === held?.traceId);
    const [first, ...later] = named(spans, "process image");
    expect([first, ...later].map((span) => span?.attributes["slidelight.outcome"])).toEqual([
      "divided",
      "divided",
      "done",
    ]);
    expect(first?.parentSpanId ?? "").toBe("");
    expect(new Set(later.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([first?.spanId]));
    expect(named(spans, "process shard").length).toBeGreaterThan(4);
  });

  test("record a failure with its code, in the job and in the stage", () => {
    const spans = spansOf(idOf("poisoned.png"));
    for (const name of ["process image", "open"]) {
      expect(named(spans, name)).toMatchObject([
        { attributes: { "error.type": "image-not-an-image" }, status: { code: 2 } },
      ]);
    }
    expect(named(spans, "process image")[0]?.attributes["slidelight.outcome"]).toBe("failed");
  });

  test("name the trace in the lines about a job", () => {
    // What was given back before anything was done leaves no span.
    const done = lines.workers.filter(({ jobId, msg }) => jobId !== undefined && !msg.endsWith("handed back"));
    expect(done.length).toBeGreaterThan(20);
    for (const line of done) {
      const span = receiver.spans.find(({ spanId }) => spanId === line["span_id"]);
      expect(span).toMatchObject({ traceId: line["trace_id"], attributes: { "messaging.message.id": line.jobId } });
    }
  });

  test("leave ids and payloads of jobs as they are without traces", async () => {
    const traced = await images.getJob(idOf("planned.png"));
    expect(traced?.opts.telemetry?.metadata).toContain("traceparent");
    expect(imageJobId(traced?.data as ImageJob)).toBe(traced?.id);
    expect(JSON.stringify(traced?.data)).not.toContain("traceparent");
  });

  /** What of OpenTelemetry a command has loaded, besides the interface that the metrics' library loads for itself. */
  const loadedBy = async (args: readonly string[], more: Readonly<Record<string, string>>) => {
    const script = `import Module from "node:module"; process.on("exit", () => process.stderr.write(
      "\\nloaded " + JSON.stringify(Object.keys(Module._cache).filter((path) => /@opentelemetry.(?!api\\b)/.test(path))) + "\\n"));`;
    const { status, stderr: said } = await slidelight(args, {
      folder: work.folder,
      env: env({ ...more, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` }),
    });
    const loaded = z.array(z.string()).parse(JSON.parse(/^loaded (.*)$/mu.exec(said)?.[1] ?? "null"));
    return { status, loaded: loaded.length };
  };

  test("load nothing and send nothing when traces are off, and both when they are on", async () => {
    const again = ["enqueue", "images/", ...job, "--quiet"];
    const sent = receiver.requests.length;
    const disabled = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SDK_DISABLED: "true" };
    for (const quiet of await Promise.all([loadedBy(again, {}), loadedBy(again, disabled)])) {
      expect(quiet).toEqual({ status: 0, loaded: 0 });
    }
    expect(receiver.requests.length).toBe(sent);
    // Protobuf is what the standard says when nothing else is asked for.
    const on = await loadedBy(again, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own` });
    expect(on).toEqual({ status: 0, loaded: expect.any(Number) });
    expect(on.loaded).toBeGreaterThan(0);
    expect(receiver.requests.at(-1)).toMatchObject({ path: "/own", type: "application/x-protobuf" });
  });

  test("do their work when the receiver refuses traces, and when it does not answer, and say so once", async () => {
    const { folder } = work;
    await using own = await openTraceReceiver();
    own.answer = 401;
    const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: own.url, OTEL_BSP_SCHEDULE_DELAY: "50" };
    const options = { folder, env: env({ ...traces, ...variables, SLIDELIGHT_QUEUE: `${queue}-alone` }) };
    const args = [...job, "--out", "maps-alone"];
    await using worker = start(["worker", "--port", "0", "--engine", "onnxruntime"], options);
    const refused = await slidelight(["enqueue", "images/a.png", ...args], options);
    expect(refused).toMatchObject({ status: 0, stderr: expect.stringContaining("does not take them") });
    await worker.line("trace trouble");
    own.answer = "hang";
    const hung = await slidelight(["enqueue", "images/b.png", ...args], options);
    expect(hung).toMatchObject({ status: 0, stderr: expect.not.stringContaining("Traces") });
    await worker.line(/b\.png.*image explained/u);
    worker.kill("SIGTERM");
    const { status, stderr: said } = await worker.outcome;
    expect(status).toBe(0);
    expect(parseLines(said).filter(({ level }) => level !== "info")).toMatchObject([
      { level: "warn", msg: "trace trouble", why: expect.stringContaining("does not take them") },
    ]);
  });

  test("say why traces are off where the variables are wrong", async () => {
    const wrong = { OTEL_EXPORTER_OTLP_ENDPOINT: "nowhere", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
    const { status, stderr: said } = await slidelight(["enqueue", "images/", ...job], {
      folder: work.folder,
      env: env(wrong),
    });
    expect({ status, said }).toEqual({ status: 0, said: expect.stringContaining("Traces are off") });
  });
});
