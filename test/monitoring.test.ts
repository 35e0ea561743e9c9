import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imageQueueName, noteWorkerClass, openLastingRedis, planQueueName, priorities } from "@slidelight/contract";
import { Queue } from "bullmq";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { anchorOf } from "./markdown.ts";
import { findBinary } from "./servers/child-server.ts";
import { prometheusMissing, startPrometheus } from "./servers/prometheus-server.ts";
import type { PrometheusServer } from "./servers/prometheus-server.ts";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import { openWorkplace, slidelight, start } from "./slidelight.ts";
import type { RunningCommand } from "./slidelight.ts";

const deploy = new URL("../deploy/", import.meta.url).pathname;
const rulesFile = join(deploy, "prometheus", "rules.yaml");
const rulesText = readFileSync(rulesFile, "utf8");
const handbook = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");

const target = z.object({ refId: z.string(), expr: z.string() });
const dashboard = z
  .object({
    panels: z.array(
      z.object({
        id: z.number(),
        title: z.string(),
        description: z.string().optional(),
        type: z.string(),
        gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
        targets: z.array(target).default([]),
      }),
    ),
    templating: z.object({ list: z.array(z.object({ name: z.string(), definition: z.string().optional() })) }),
    annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string() })) }),
  })
  .parse(JSON.parse(readFileSync(join(deploy, "grafana", "slidelight.json"), "utf8")));

/** What the dashboard asks for, by where it stands. */
const asked = [
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ refId, expr }) => ({ place: `${title}, ${refId}`, expr })),
  ),
  ...dashboard.annotations.list.map(({ name, expr }) => ({ place: `annotation ${name}`, expr })),
];

/** The names of metrics in a text; histograms by the name that they are exported under. */
function metricsIn(text: string): readonly string[] {
  const names = text.match(/\bslidelight_[a-z0-9_]+/gu) ?? [];
  return [...new Set(names.map((name) => name.replace(/_bucket$|_count$|(?<=seconds)_sum$/u, "")))].sort();
}

interface Exported {
  readonly name: string;
  readonly labels: readonly string[];
}

/** What `/metrics` tells, with the labels of each metric. */
function exportedBy(text: string): readonly Exported[] {
  const names = [...text.matchAll(/^# TYPE (slidelight_\S+)/gmu)].map(([, name = ""]) => name);
  return names.map((name) => {
    const samples = text.match(new RegExp(`^${name}(?:_count)?(?:\\{.*\\})? `, "gmu")) ?? [];
    const labels = samples.flatMap((line) => [...line.matchAll(/(\w+)="/gu)].map(([, label = ""]) => label));
    return { name, labels: [...new Set(labels)].sort() };
  });
}

describe("the dashboard", () => {
  test("has panels that tell what they show and do not lie on each other", () => {
    const shown = dashboard.panels.filter(({ type }) => type !== "row");
    expect(shown.length).toBeGreaterThan(20);
    expect(shown.filter(({ description = "" }) => description === "").map(({ title }) => title)).toEqual([]);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(dashboard.panels.filter(({ gridPos }) => gridPos.x + gridPos.w > 24)).toEqual([]);
  });

  test("uses no recording that the rules do not make", () => {
    const recorded = [...rulesText.matchAll(/- record: (\S+)/gu)].map(([, name]) => name);
    const used = [...asked.map(({ expr }) => expr), rulesText].join("\n").match(/\bslidelight:[\w:]+/gu) ?? [];
    expect(used.filter((name) => !recorded.includes(name))).toEqual([]);
  });
});

describe("the alert rules", () => {
  const alerts = [...rulesText.matchAll(/- alert: (\S+)\n([\s\S]*?)(?=\n {6}[-#]|\n {2}- name|$)/gu)].map(
    ([, name = "", body = ""]) => ({ name, body }),
  );

  test("have a severity, tell what is wrong, and lead to a section of the handbook each", () => {
    expect(alerts.length).toBeGreaterThan(15);
    const anchors = [...handbook.matchAll(/^#+ (.*)$/gmu)].map(([, heading = ""]) => anchorOf(heading));
    for (const { name, body } of alerts) {
      const [, anchor = ""] = /runbook_url: docs\/operations\.md#(\S+)/u.exec(body) ?? [];
      expect(anchors, name).toContain(anchor);
      expect(anchor, name).toBe(name.toLowerCase());
      expect(body, name).toMatch(/severity: (?:critical|warning)\n/u);
      expect(body, name).toMatch(/summary: .+\n\s+description: .+\n/u);
    }
    const sections = [...handbook.matchAll(/^### (Slidelight\S+)$/gmu)].map(([, name = ""]) => name);
    expect(sections.sort()).toEqual(alerts.map(({ name }) => name).sort());
  });
});

const promtool = findBinary("promtool");
if (promtool === undefined)
  console.log("skipped: no promtool (apt-get install prometheus): the alert rules are not tested");

describe.skipIf(promtool === undefined)("the alert rules, by promtool,", () => {
  const folder = join(deploy, "prometheus");
  const call = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(promtool ?? "", args, { cwd: folder, encoding: "utf8" });
    return { status, output: stdout + stderr };
  };

  test("are valid, and so is the configuration for one machine", () => {
    expect(call("check", "config", "prometheus.yaml")).toMatchObject({ status: 0 });
  });

  test("fire when they should, and are silent when they should be", () => {
    const { status, output } = call("test", "rules", "rules.test.yaml", "rules-of-days.test.yaml");
    expect(status, output).toBe(0);
    const tests = ["rules.test.yaml", "rules-of-days.test.yaml"].map((name) =>
      readFileSync(join(folder, name), "utf8"),
    );
    const tested = new Set(tests.join("\n").match(/(?<=alertname: )\w+/gu));
    const alerts = rulesText.match(/(?<=- alert: )\w+/gu) ?? [];
    expect(alerts.filter((name) => !tested.has(name))).toEqual([]);
  });
});

const noRedis = redisMissing();
const noPrometheus = prometheusMissing();
if (noPrometheus !== undefined) console.log(`skipped: ${noPrometheus}: no Prometheus asks workers and planners`);

describe.skipIf(noRedis !== undefined)("what workers and planners tell", () => {
  const opened: AsyncDisposable[] = [];
  const keep = <T extends AsyncDisposable>(resource: T): T => {
    opened.push(resource);
    return resource;
  };
  /** What each of them said when all was done. */
  const said = { worker: "", planner: "" };
  let prometheus: PrometheusServer | undefined;
  let address = "";
  let plannerPort = 0;

  // Two workers and a planner, whose schedule adds two images and a file that is none.
  beforeAll(async () => {
    const redis = keep(await startRedisServer());
    const work = keep(await openWorkplace());
    await writeFile(join(work.folder, "images", "c.png"), "no image");
    const options = { folder: work.folder, env: { REDIS_URL: redis.url } };
    const started = {
      workers: [1, 2].map(() => keep(start(["worker", "--port", "0", "--engine", "onnxruntime"], options))),
      planner: keep(start(["planner", "--port", "0"], options)),
    };
    const made = slidelight(
      ["schedule", "nightly", "images/", "--cron", "0 1 * * *", "--model", "model.onnx", "--out", "maps"],
      options,
    );
    const workers = await Promise.all(started.workers.map((worker) => portOf(worker, "worker ready")));
    const planner = await portOf(started.planner, "planner ready");
    [address, plannerPort] = [redis.url, planner];
    expect(await made).toMatchObject({ status: 0 });
    if (noPrometheus === undefined) {
      const server = keep(
        await startPrometheus({
          jobs: { "slidelight-worker": workers, "slidelight-planner": [planner] },
          rules: rulesFile,
        }),
      );
      prometheus = server;
      // What is counted before the first look is no increase.
      await vi.waitFor(async () => expect(await server.value("sum(up)")).toBe(3), { timeout: 20_000, interval: 100 });
    }
    await runSchedule("nightly", redis.url);
    await started.planner.line("plan done");
    const textOf = async (port: number | undefined) => (await fetch(`http://127.0.0.1:${port ?? 0}/metrics`)).text();
    await vi.waitFor(
      async () => {
        said.planner = await textOf(planner);
        expect(said.planner).toMatch(/^slidelight_queue_jobs\{.*queue="images",state="completed"\} 2$/mu);
        expect(said.planner).toMatch(/^slidelight_queue_jobs\{.*queue="images",state="failed"\} 1$/mu);
      },
      { timeout: 60_000, interval: 200 },
    );
    // Either may have done all of them; what tells of an image has its labels there.
    const texts = await Promise.all(workers.map(textOf));
    said.worker = texts.find((text) => /_images_total\{status="done",.* [12]$/mu.test(text)) ?? "";
  });
  afterAll(async () => {
    for (const resource of opened.reverse()) await resource[Symbol.asyncDispose]();
  });

  test("is in the handbook's table, name by name, with its labels", () => {
    const rows = [...handbook.matchAll(/^\| `(slidelight_\w+)(?:\{([\w,]*)\})?` \| (worker|planner|both) \|/gmu)];
    const documented = rows.map(([, name = "", labels = "", from = ""]) => ({
      name,
      from,
      labels: labels === "" ? [] : labels.split(",").sort(),
    }));
    const worker = exportedBy(said.worker);
    const planner = exportedBy(said.planner);
    const names = new Set([...worker, ...planner].map(({ name }) => name));
    const told = [...names].map((name) => {
      const ofWorker = worker.find((one) => one.name === name);
      const ofPlanner = planner.find((one) => one.name === name);
      const from = ofWorker === undefined ? "planner" : ofPlanner === undefined ? "worker" : "both";
      // All of a worker's metrics have its class; a planner's only where they tell of one.
      const labels = ofPlanner?.labels ?? (ofWorker?.labels ?? []).filter((label) => label !== "class");
      return { name, from, labels };
    });
    const byName = (one: { readonly name: string }, other: { readonly name: string }) =>
      one.name < other.name ? -1 : 1;
    expect(told.sort(byName)).toEqual(documented.sort(byName));
  });

  test("is all that the dashboard, the rules and the runbooks name", () => {
    const exported = [...exportedBy(said.worker), ...exportedBy(said.planner)].map(({ name }) => name);
    // A name that an adapter gives is none of ours.
    const ours = handbook.replaceAll(/\bas: slidelight_\w+/gu, "");
    const used = metricsIn([rulesText, ours, ...asked.map(({ expr }) => expr)].join("\n"));
    expect(used.length).toBeGreaterThan(25);
    expect(used.filter((name) => !exported.includes(name))).toEqual([]);
    for (const { name, definition = "" } of dashboard.templating.list) {
      for (const metric of metricsIn(definition)) expect(exported, name).toContain(metric);
    }
  });

  describe.skipIf(noPrometheus !== undefined)("and Prometheus sees", () => {
    const server = (): PrometheusServer => {
      if (prometheus === undefined) throw new Error("Prometheus was not started.");
      return prometheus;
    };

    test("is what happened, and what several tell is counted once", async () => {
      const values = {
        'sum(slidelight_images_total{status="done"})': 2,
        'sum(slidelight_images_total{status="failed"})': 1,
        'sum(increase(slidelight_images_total{status="done"}[1m])) > 0': expect.any(Number),
        'sum(slidelight_failures_total{code="image-not-an-image", final="true"})': 1,
        "sum(slidelight_explained_pixels_total)": 48 * 48 + 57 * 57,
        'sum(slidelight_job_seconds_count{queue="images"})': 2,
        'sum(slidelight_plan_images_total{outcome="added"})': 3,
        'sum(slidelight:queue_jobs:max{queue="images", state="completed"})': 2,
        'sum(slidelight:queue_jobs:max{queue="images", state="failed"})': 1,
        "sum(slidelight:waiting_jobs:sum)": 0,
        "sum(slidelight:workers:count)": 2,
        "min(slidelight_redis_up)": 1,
      };
      const seen = async () =>
        Object.fromEntries(
          await Promise.all(Object.keys(values).map(async (expr) => [expr, await server().value(expr)] as const)),
        );
      await expect.poll(seen, { timeout: 20_000 }).toEqual(values);
    });

    /** What has no value when all is well, and in a Redis without a limit. */
    const mayBeEmpty = [
      "Attempts that are tried again, by code, A",
      "Redis, B",
      "annotation Alerts",
      "annotation Paused",
    ];

    test("an answer to every question of the dashboard", async () => {
      const empty = async () => {
        const answers = await Promise.all(
          asked.map(async ({ place, expr }) => ({ place, answer: await server().query(filled(expr)) })),
        );
        return answers.filter(({ answer }) => answer.length === 0).map(({ place }) => place);
      };
      await expect.poll(empty, { timeout: 20_000 }).toEqual(mayBeEmpty);
    });

    test("rules that it can evaluate, of which none fires", async () => {
      const schema = z.object({
        groups: z.array(
          z.object({
            rules: z.array(
              z.object({ name: z.string(), health: z.string(), type: z.string(), state: z.string().optional() }),
            ),
          }),
        ),
      });
      const rules = async () => schema.parse(await server().api("rules")).groups.flatMap((group) => group.rules);
      await expect.poll(async () => (await rules()).filter(({ health }) => health !== "ok")).toEqual([]);
      // One that looks at the last minutes is pending while it still sees the jobs wait for their worker.
      const active = async () => (await rules()).filter(({ state = "inactive" }) => state !== "inactive");
      expect((await active()).filter(({ state }) => state === "firing")).toEqual([]);
      await expect.poll(active, { timeout: 20_000 }).toEqual([]);
    });
  });

  test("is the age of the job that waits longest, in every class of workers, whatever stands before it", async () => {
    const redis = keep(await openLastingRedis(address, () => undefined)).client;
    const images = new Queue(imageQueueName("aged"), { connection: redis });
    try {
      await noteWorkerClass(redis, "aged");
      const added = (secondsAgo: number) => ({ timestamp: Date.now() - 1000 * secondsAgo });
      const valueOf = async (metric: string) => {
        const text = await (await fetch(`http://127.0.0.1:${plannerPort}/metrics`)).text();
        return Number(
          text
            .split("\n")
            .find((line) => line.startsWith(`${metric} `))
            ?.split(" ")
            .at(-1),
        );
      };
      const age = () => valueOf('slidelight_queue_oldest_seconds{class="aged",queue="images"}');
      await images.add("image", {}, { ...added(3600), ...priorities.low });
      expect(Math.floor((await age()) / 60)).toBe(60);
      await images.add("image", {}, { ...added(7200), ...priorities.normal });
      await images.add("image", {}, { ...added(60), ...priorities.normal });
      await images.add("image", {}, { ...added(10), ...priorities.high });
      expect(Math.floor((await age()) / 60)).toBe(120);
      expect(await valueOf('slidelight_queue_jobs{class="aged",queue="images",state="wait"}')).toBe(3);
      expect(await valueOf('slidelight_queue_jobs{class="aged",queue="images",state="prioritized"}')).toBe(1);
      expect(await valueOf('slidelight_queue_oldest_seconds{class="aged",queue="shards"}')).toBe(0);
      const paused = () => valueOf('slidelight_queue_paused{class="aged",queue="images"}');
      expect(await paused()).toBe(0);
      await images.pause();
      expect(await paused()).toBe(1);
      // A pause leaves them where they are.
      expect(await valueOf('slidelight_queue_jobs{class="aged",queue="images",state="wait"}')).toBe(3);
    } finally {
      await images.obliterate({ force: true });
      await images.close();
    }
  });
});

/** An expression of the dashboard with everything chosen, and windows that hold what a test takes. */
function filled(expr: string): string {
  const values = { namespace: ".*", job: ".*", class: ".*", price: "0.5", __rate_interval: "1m", __range: "1h" };
  return expr.replaceAll(/\$(\w+)/gu, (all, name: string) => {
    const value = Object.entries(values).find(([known]) => known === name)?.[1];
    if (value === undefined) throw new Error(`The dashboard has no variable ${all}.`);
    return value;
  });
}

async function portOf(command: RunningCommand, ready: string): Promise<number> {
  return z.object({ port: z.number() }).parse(JSON.parse(await command.line(ready))).port;
}

/** What the queue does when a schedule is due. */
async function runSchedule(name: string, url: string): Promise<void> {
  const plans = new Queue(planQueueName, { connection: { url } });
  const scheduler = await plans.getJobScheduler(name);
  await plans.add("plan", scheduler?.template?.data, { ...scheduler?.template?.opts });
  await plans.close();
}
