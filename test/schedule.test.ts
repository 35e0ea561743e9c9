import { spawnSync } from "node:child_process";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { planQueueName } from "@slidelight/contract";
import { getNextMillis, Queue } from "bullmq";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import type { RedisServer } from "./servers/redis-server.ts";
import { openWorkplace, slidelight, start, writeImage } from "./slidelight.ts";
import type { RunningCommand, Workplace } from "./slidelight.ts";

const missing = redisMissing();

describe("the times of a schedule", () => {
  const dayMs = 86_400_000;

  /** The days, in the zone's own calendar, of all runs between two times, as the queue computes one from the other. */
  function runs(pattern: string, tz: string, from: string, days: number): readonly string[] {
    const local = new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "short" });
    const found: string[] = [];
    const end = Date.parse(from) + days * dayMs;
    for (let now = Date.parse(from); ; ) {
      const next = getNextMillis(now, { pattern, tz });
      if (next === undefined || next >= end) return found;
      found.push(local.format(next));
      now = next;
    }
  }

  const changes = [
    {
      tz: "Europe/Rome",
      from: "2026-03-27T12:00Z",
      days: ["2026-03-28", "2026-03-29", "2026-03-30"],
      forward: "2026-03-29",
    },
    { tz: "Europe/Rome", from: "2026-10-23T12:00Z", days: ["2026-10-24", "2026-10-25", "2026-10-26"] },
    {
      tz: "America/New_York",
      from: "2026-03-06T12:00Z",
      days: ["2026-03-07", "2026-03-08", "2026-03-09"],
      forward: "2026-03-08",
    },
    { tz: "America/New_York", from: "2026-10-30T12:00Z", days: ["2026-10-31", "2026-11-01", "2026-11-02"] },
  ];

  test.each(changes)("come once a day when the clocks change in $tz after $from", ({ tz, from, days, forward }) => {
    expect(runs("0 1 * * *", tz, from, 3)).toEqual(days.map((day) => `${day} 01:00`));
    // Where the hour from 2 to 3 is left out, what is due in it comes an hour later; where it comes twice, in the first one.
    expect(runs("30 2 * * *", tz, from, 3)).toEqual(days.map((day) => `${day} ${day === forward ? "03" : "02"}:30`));
  });

  test("come a second time only where a planner begins a run late, within the hour that comes twice", () => {
    // 02:30 for the first time is 00:30 UTC; it was begun 40 minutes later, at 02:10 for the second time.
    expect(getNextMillis(Date.parse("2026-10-25T01:10Z"), { pattern: "30 2 * * *", tz: "Europe/Rome" })).toBe(
      Date.parse("2026-10-25T01:30Z"),
    );
  });
});

const listing = z.object({
  schedules: z.array(
    z.object({
      name: z.string(),
      cron: z.string(),
      tz: z.string(),
      next: z.string(),
      last: z
        .object({
          status: z.string(),
          counts: z.record(z.string(), z.number()),
          error: z.object({ code: z.string() }).optional(),
        })
        .optional(),
      images: z.object({ sources: z.array(z.string()), priority: z.string() }),
    }),
  ),
});

describe.skipIf(missing !== undefined)("a schedule", () => {
  let redis: RedisServer;
  let work: Workplace;
  let plans: Queue;
  let tests = 0;
  let queue = "";
  beforeAll(async () => {
    redis = await startRedisServer();
    work = await openWorkplace();
    plans = new Queue(planQueueName, { connection: { url: redis.url } });
  });
  afterAll(async () => {
    await plans.close();
    await work[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    tests += 1;
    queue = `plan-${process.pid}-${tests}`;
  });
  afterEach(async () => {
    await plans.obliterate({ force: true });
  });

  const options = () => ({ folder: work.folder, env: { REDIS_URL: redis.url, SLIDELIGHT_QUEUE: queue } });
  const run = (...args: readonly string[]) => slidelight(args, options());
  const schedule = (name: string, ...args: readonly string[]) =>
    run("schedule", name, "--model", "model.onnx", "--out", `maps-${tests}`, "--cron", "0 1 * * *", ...args);
  const schedules = async () => listing.parse(JSON.parse((await run("schedules", "--json")).stdout)).schedules;
  const outcome = async () => (await schedules())[0]?.last;
  const planner = (...args: readonly string[]) => start(["planner", "--port", "0", ...args], options());
  const added = async () => z.object({ waiting: z.number() }).parse(JSON.parse((await run("status", "--json")).stdout));
  const portOf = async (command: RunningCommand): Promise<number> =>
    z.object({ port: z.number() }).parse(JSON.parse(await command.line("planner ready"))).port;

  /** What the queue does when a schedule is due. */
  async function due(name: string): Promise<void> {
    const scheduler = await plans.getJobScheduler(name);
    await plans.add("plan", scheduler?.template?.data, { ...scheduler?.template?.opts });
  }

  test("tells its next times, is listed, changed under its name, and ended", async () => {
    const made = await schedule("nightly", "images/", "--tz", "Europe/Rome", "--priority", "low");
    expect(made.status, made.stderr).toBe(0);
    expect(made.stdout.match(/ 01:00 GMT\+[12]$/gmu)).toHaveLength(5);
    expect(await schedules()).toMatchObject([
      {
        name: "nightly",
        cron: "0 1 * * *",
        tz: "Europe/Rome",
        images: { sources: [join(work.folder, "images/")], priority: "low" },
      },
    ]);
    expect((await run("schedules")).stdout).toContain("has not run yet");
    const changed = await schedule("nightly", "images/", "--cron", "30 4 * * 1");
    expect(changed.stdout).toContain("nightly changed");
    expect(await schedules()).toMatchObject([{ cron: "30 4 * * 1", tz: "UTC" }]);
    expect(await run("unschedule", "nightly")).toMatchObject({ status: 0 });
    expect((await run("schedules")).stdout).toBe("There are no schedules.\n");
    expect(await run("unschedule", "nightly")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("there is no such schedule"),
    });
  });

  test.each([
    { fault: "another number of fields", args: ["--cron", "0 0 1 * * * 2026"], says: "expected five fields" },
    { fault: "an hour that no day has", args: ["--cron", "0 25 * * *"], says: "--cron" },
    { fault: "a day that never comes", args: ["--cron", "0 0 30 2 *"], says: "" },
    { fault: "an unknown time zone", args: ["--tz", "Europe/Atlantis"], says: '"Europe/Atlantis" is none' },
    { fault: "standard input as its source", args: ["-"], says: "standard input" },
    { fault: "an empty source", args: [""], says: "source is empty" },
  ])("is refused with $fault", async ({ args, says }) => {
    const { status, stderr } = await schedule("nightly", "images/", ...args);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(says) });
    expect(stderr).toContain("[usage]");
    expect(await plans.getJobSchedulersCount()).toBe(0);
  });

  test("may be declared again and again: what is due and waits for a planner stays", async () => {
    await schedule("nightly", "images/");
    const [due] = await plans.getJobs(["delayed"]);
    await due?.promote();
    expect((await schedule("nightly", "images/")).stdout).toContain("nightly unchanged");
    expect((await plans.getJobs(["wait"])).map(({ id }) => id)).toEqual([due?.id]);
    expect((await schedule("nightly", "images/", "--method", "cam")).stdout).toContain("nightly changed");
    expect(await plans.getJobs(["wait"])).toEqual([]);
  });

  test("is refused with a bad name, without sources, without a model that can be read, and without Redis", async () => {
    expect(await schedule("my:plan", "images/")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"my:plan" can\'t be used'),
    });
    expect(await schedule("nightly")).toMatchObject({ status: 2, stderr: expect.stringContaining("source") });
    expect(await schedule("nightly", "images/", "--model", "no.onnx")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[model-not-found]"),
    });
    expect(await schedule("nightly", "images/", "--redis", "redis://127.0.0.1:1")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[queue-unavailable]"),
    });
  });

  test("is made again from its list, as after a Redis that lost everything", async () => {
    await schedule("nightly", "images/", "--tz", "Europe/Rome", "--priority", "low");
    const list = (await run("schedules", "--json")).stdout;
    const path = join(work.folder, `schedules-${tests}.json`);
    await writeFile(path, list);
    const before = await schedules();
    await plans.obliterate({ force: true });
    expect(await schedules()).toEqual([]);
    const { status, stdout, stderr } = await run("schedules", "--restore", path, "--json");
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining("nightly restored") });
    expect(listing.parse(JSON.parse(stdout)).schedules).toEqual(before);
    // Again changes nothing; what is no list makes none.
    expect((await run("schedules", "--restore", path)).status).toBe(0);
    await writeFile(path, list.replace("Europe/Rome", "Europe/Atlantis"));
    expect(await run("schedules", "--restore", path)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("schedules.0.tz"),
    });
    expect(await schedules()).toEqual(before);
  });

  test("of a later release is left to a planner of that release", async () => {
    await schedule("nightly", "images/");
    await using running = planner();
    await running.line("planner ready");
    const template = (await plans.getJobScheduler("nightly"))?.template;
    const job = await plans.add("plan", { ...template?.data, version: 2 }, { ...template?.opts });
    expect(await running.line("plan put off")).toContain("job-newer");
    expect(await job.isDelayed()).toBe(true);
    expect(await outcome()).toBeUndefined();
  });

  test("adds what is new or changed, and leaves out what has its results", async () => {
    await writeImage(join(work.folder, "archive", "old.png"), { side: 40, seed: 1 });
    const job = ["--model", "model.onnx", "--out", `maps-${tests}`];
    expect(await run("explain", "archive/", ...job)).toMatchObject({ status: 0 });
    await writeImage(join(work.folder, "archive", "new.png"), { side: 41, seed: 2 });
    await schedule("nightly", "archive/");
    await using running = planner();
    const port = await portOf(running);
    await due("nightly");
    await running.line("plan done");
    expect(await added()).toEqual({ waiting: 1 });
    expect(await outcome()).toMatchObject({ status: "done", counts: { added: 1, done: 1, present: 0 } });
    await writeImage(join(work.folder, "archive", "old.png"), { side: 42, seed: 3 });
    await due("nightly");
    await expect.poll(outcome).toMatchObject({ status: "done", counts: { added: 1, present: 1, done: 0 } });
    expect((await run("schedules")).stdout).toMatch(/last .*: 1 added, 1 already there, 0 failed/u);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/slidelight_plan_last_success_timestamp_seconds\{schedule="nightly"\} \d{10}/u);
    expect(metrics).toMatch(/slidelight_plan_next_timestamp_seconds\{schedule="nightly"\} \d{10}/u);
    expect(metrics).toContain('slidelight_plan_images_total{schedule="nightly",outcome="added"} 2');
    expect(metrics).toContain('slidelight_plans_total{schedule="nightly",status="done"} 2');
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    running.kill("SIGTERM");
    expect(await running.outcome).toMatchObject({ status: 0, stderr: expect.stringContaining("stopped") });
  });

  test("leaves alone what was cancelled after it was made, until somebody enqueues it", async () => {
    await schedule("nightly", "images/");
    await using running = planner();
    await due("nightly");
    await running.line("plan done");
    expect(await run("cancel", "images/a.png")).toMatchObject({ status: 0 });
    await due("nightly");
    await expect.poll(outcome).toMatchObject({ counts: { added: 0, present: 1, cancelled: 1 } });
    expect(await added()).toEqual({ waiting: 1 });
    await run("enqueue", "images/a.png", "--model", "model.onnx", "--out", `maps-${tests}`);
    expect(await added()).toEqual({ waiting: 2 });
  });

  test("tells a source that cannot be listed as a failed run, and adds the images of the others", async () => {
    await schedule("nightly", "images/", "gone.txt");
    await using running = planner();
    await due("nightly");
    await running.line("plan failed");
    await expect
      .poll(outcome)
      .toMatchObject({ status: "failed", counts: { added: 2 }, error: { code: "image-not-found" } });
    expect((await run("schedules")).stdout).toContain("[image-not-found]");
  });

  test("is handed back by a planner that stops, and another one does it", async () => {
    const pipe = join(work.folder, `list-${tests}`);
    expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
    await schedule("nightly", pipe);
    await using first = planner();
    await first.line("planner ready");
    await due("nightly");
    await first.line("plan started");
    const unfinished = await open(pipe, "w");
    await unfinished.write("images/a.png\n");
    first.kill("SIGTERM");
    await first.line("plan handed back");
    await unfinished.close();
    expect(await first.outcome).toMatchObject({ status: 0 });
    await using second = planner();
    await second.line("plan started");
    const list = await open(pipe, "w");
    await list.write("images/a.png\nimages/b.png\n");
    await list.close();
    await second.line("plan done");
    expect(await outcome()).toMatchObject({ status: "done", counts: { added: 2 } });
  });

  test("does not run on top of itself with two planners, and goes on when the one that ran it is killed", async () => {
    // A list that ends only when the test says so.
    const pipe = join(work.folder, `list-${tests}`);
    expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
    await schedule("nightly", pipe);
    // The killed one's is waited for.
    const lock = ["--lock-seconds", "3"];
    await using first = planner(...lock);
    await first.line("planner ready");
    await due("nightly");
    await first.line("plan started");
    await using second = planner(...lock);
    await second.line("planner ready");
    await due("nightly");
    const skipped = await Promise.race([first.line("plan skipped"), second.line("plan skipped")]);
    expect(skipped).toContain("still at it");
    first.kill("SIGKILL");
    await first.outcome;
    await second.line("plan started");
    const list = await open(pipe, "w");
    await list.write("images/a.png\nimages/b.png\n");
    await list.close();
    await second.line("plan done");
    expect(await outcome()).toMatchObject({ status: "done", counts: { added: 2 } });
    expect(await plans.getJobCounts("active", "wait", "delayed")).toMatchObject({ active: 0, wait: 0 });
  });
});
