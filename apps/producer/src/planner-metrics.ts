import { knownWorkerClasses } from "@slidelight/contract";
import { openQueueMetrics } from "@slidelight/contract/service";
import { versions } from "@slidelight/core/request";
import type { Redis } from "ioredis";
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import { noImages } from "./add-images.ts";
import type { ImageCounts } from "./add-images.ts";
import type { ScheduleState } from "./schedules-command.ts";

/** What a planner counts; one registry for each, so that tests can hold several. */
export interface PlannerMetrics {
  readonly contentType: string;
  /** A run of a schedule has ended. `skipped`: an earlier one was still at it. */
  plan(schedule: string, status: "done" | "failed" | "skipped", counts?: ImageCounts): void;
  text(): Promise<string>;
}

export interface PlannerMetricsOptions {
  readonly redis: Redis;
  /** Asked for whenever the metrics are; `undefined` when Redis does not answer. */
  readonly schedules: () => Promise<readonly ScheduleState[] | undefined>;
}

/** A planner is there when workers are scaled to zero: it tells the state of the queues of all classes of workers. */
export function openPlannerMetrics({ redis, schedules }: PlannerMetricsOptions): PlannerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const plans = new Counter({
    name: "slidelight_plans_total",
    help: "Runs of schedules that ended, by outcome.",
    labelNames: ["schedule", "status"],
    registers,
  });
  const images = new Counter({
    name: "slidelight_plan_images_total",
    help: "Images that runs of schedules met, by what became of them.",
    labelNames: ["schedule", "outcome"],
    registers,
  });
  const labelNames = ["schedule"];
  const created = new Gauge({
    name: "slidelight_plan_created_timestamp_seconds",
    help: "When a schedule was first made; the same from every planner.",
    labelNames,
    registers,
  });
  const next = new Gauge({
    name: "slidelight_plan_next_timestamp_seconds",
    help: "When a schedule is due next; the same from every planner.",
    labelNames,
    registers,
  });
  const succeeded = new Gauge({
    name: "slidelight_plan_last_success_timestamp_seconds",
    help: "When a run of a schedule last reached its end; the same from every planner.",
    labelNames,
    registers,
  });
  const refresh = async (): Promise<void> => {
    const states = await schedules();
    // What was removed is gone, and old times would be taken for those of now.
    for (const gauge of [created, next, succeeded]) gauge.reset();
    for (const { name: schedule, createdAt, succeededAt, next: due } of states ?? []) {
      // What is there before the first run is an increase when it happens.
      for (const status of ["done", "failed", "skipped"]) plans.inc({ schedule, status }, 0);
      for (const outcome of Object.keys(noImages)) images.inc({ schedule, outcome }, 0);
      created.set({ schedule }, seconds(createdAt));
      if (due !== null) next.set({ schedule }, seconds(due));
      if (succeededAt !== undefined) succeeded.set({ schedule }, seconds(succeededAt));
    }
  };
  const { slidelight, node } = versions();
  new Gauge({
    name: "slidelight_planner_info",
    help: "Always 1, of every planner.",
    labelNames: ["version", "node"],
    registers,
  }).set({ version: slidelight, node }, 1);
  const queues = openQueueMetrics(registry, { redis, classes: () => knownWorkerClasses(redis) });
  return {
    contentType: registry.contentType,
    plan: (schedule, status, counts = noImages) => {
      plans.inc({ schedule, status });
      for (const [outcome, count] of Object.entries(counts)) images.inc({ schedule, outcome }, count);
    },
    text: async () => {
      await Promise.all([refresh(), queues.refresh()]);
      return registry.metrics();
    },
  };
}

function seconds(time: string): number {
  return Date.parse(time) / 1000;
}
