import { setMaxListeners } from "node:events";
import {
  aborted,
  addOptions,
  asking,
  openLastingRedis,
  openTracing,
  planQueueName,
  processName,
  redactedUrl,
  storageSettings,
  traceHelp,
  within,
} from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { openHealthServer, openLog } from "@slidelight/contract/service";
import { Queue, Worker } from "bullmq";
import type { Command } from "commander";
import { loadPlannerConfig, plannerOptions } from "./config.ts";
import type { PlannerConfig } from "./config.ts";
import { planProcessor } from "./plan-processor.ts";
import { openPlannerMetrics } from "./planner-metrics.ts";
import { readSchedules } from "./schedules-command.ts";

/** Schedules that run at the same time; each is a listing, and waits for a store most of the time. */
const concurrency = 4;
const maxLosses = 10;
/** Kubernetes kills 30 s after it asked to stop. */
const stopMs = 20_000;
/** How long Redis may take for what is asked while somebody waits. */
const answerMs = 2000;

export function definePlanner(program: Command, context: CommandContext): void {
  const command = program
    .command("planner")
    .description(
      "Do what the schedules say until SIGTERM. More than one may run: a schedule still runs once. Its log on standard error is one JSON object a line.",
    )
    .addHelpText("after", traceHelp);
  addOptions(command, plannerOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    await runPlanner(loadPlannerConfig(context.environment, flags), context);
  });
}

async function runPlanner(config: PlannerConfig, context: CommandContext): Promise<void> {
  const address = config.queue.redis;
  const planner = processName();
  // A plan whose planner was lost is taken up again within about twice this.
  const lockMs = Math.round(config.lockSeconds * 1000);
  using opened = openLog({
    level: config.logLevel,
    base: { planner, queue: planQueueName },
    environment: context.environment,
    redis: address,
    stream: context.stderr,
  });
  const { log } = opened;
  await using tracing = await openTracing({
    environment: context.environment,
    service: "slidelight-planner",
    instance: planner,
    warn: (why) => log.warn({ why }, "trace trouble"),
  });
  await using connection = await openLastingRedis(address, (error) =>
    log.warn({ err: error }, "Redis is out of reach"),
  );
  const redis = connection.client;
  const plans = new Queue(planQueueName, { connection: redis });
  plans.on("error", (error) => log.warn({ err: error }, "queue trouble"));
  const metrics = openPlannerMetrics({
    redis,
    schedules: () => within(answerMs, readSchedules({ plans, redis, ask: asking(address) })),
  });
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  // Before there is a worker, whose connection would outlast an error: the port may be taken.
  await using health = await openHealthServer({
    port: config.port,
    metrics,
    notReady: async () => {
      if (stopping.signal.aborted) return "stopping";
      if (redis.status !== "ready") return `Redis is ${redis.status}`;
      return (await within(answerMs, redis.ping())) === undefined ? "Redis does not answer" : undefined;
    },
  });
  const doPlan = planProcessor({
    redis,
    address,
    storage: storageSettings(config.storage),
    metrics,
    log,
    tracing,
    lockMs,
    stopping: stopping.signal,
  });
  const worker = new Worker(planQueueName, (job, token) => doPlan(job, token), {
    connection: redis,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    maxStalledCount: maxLosses,
    autorun: false,
  });
  worker.on("error", (error) => log.error({ err: error }, "queue trouble"));
  worker.on("stalled", (jobId) => log.warn({ jobId }, "plan of a lost planner is taken up again"));
  const running = worker.run();
  log.info({ port: health.port, redis: redactedUrl(address) }, "planner ready");
  await aborted(context.signal);
  log.info("stopping: running plans are handed back");
  // A store may not answer, nor Redis. What was not handed back is found by its lock.
  setTimeout(() => {
    log.error({ seconds: stopMs / 1000 }, "stopping took too long: leaving");
    process.exit(1);
  }, stopMs).unref();
  const closing = worker.close();
  stopping.abort(new Error("The planner is stopping."));
  await closing;
  await running;
  await plans.close();
  log.info("stopped");
}
