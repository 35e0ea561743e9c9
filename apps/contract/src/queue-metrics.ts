import type { Redis } from "ioredis";
import { Gauge } from "prom-client";
import type { Registry } from "prom-client";
import { within } from "./patience.ts";
import { readClassState } from "./queue-state.ts";
import type { ClassState } from "./queue-state.ts";
import { workerClassName } from "./worker-classes.ts";

/** How long Redis may take; a scrape waits for it. */
const answerMs = 2000;

export interface QueueMetrics {
  /** Asks Redis; where it does not answer, nothing is told of the queues but that. */
  refresh(): Promise<void>;
}

export interface QueueMetricsOptions {
  readonly redis: Redis;
  /** What is given as `--queue`, of each class of workers to tell of; asked for each time. */
  readonly classes: () => Promise<readonly (string | undefined)[]>;
}

/** The state of queues and of their Redis as metrics: the same from every worker and every planner, so take a `max` of them. */
export function openQueueMetrics(registry: Registry, { redis, classes }: QueueMetricsOptions): QueueMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const jobs = gauge("slidelight_queue_jobs", "Jobs by class of workers, queue and state; the same from everybody.", [
    "class",
    "queue",
    "state",
  ]);
  const oldest = gauge(
    "slidelight_queue_oldest_seconds",
    "Age of the oldest job that is taken next, 0 when none waits; the same from everybody.",
    ["class", "queue"],
  );
  const paused = gauge("slidelight_queue_paused", "Whether nobody takes jobs of the queue; the same from everybody.", [
    "class",
    "queue",
  ]);
  const up = gauge("slidelight_redis_up", "Whether the queue's Redis answered this process within two seconds.");
  const used = gauge("slidelight_redis_used_memory_bytes", "Memory that Redis holds; the same from everybody.");
  const most = gauge("slidelight_redis_max_memory_bytes", "Its limit, 0 for none; the same from everybody.");
  const policy = gauge("slidelight_redis_eviction_info", "Always 1; the label tells what Redis does when it is full.", [
    "policy",
  ]);
  return {
    refresh: async () => {
      const now = redis.status === "ready" ? await within(answerMs, ask(redis, classes)) : undefined;
      up.set(now === undefined ? 0 : 1);
      // Old values would be taken for those of now.
      for (const labelled of [jobs, oldest, paused, policy]) labelled.reset();
      for (const single of [used, most]) single.remove();
      if (now === undefined) return;
      for (const { name, state } of now.classes) {
        for (const queue of ["images", "shards"] as const) {
          oldest.set({ class: name, queue }, state[queue].oldestSeconds);
          paused.set({ class: name, queue }, state[queue].paused ? 1 : 0);
          for (const [of, count] of Object.entries(state[queue].jobs))
            jobs.set({ class: name, queue, state: of }, count);
        }
      }
      const { usedBytes, maxBytes, eviction } = now.memory;
      if (usedBytes !== undefined) used.set(usedBytes);
      if (maxBytes !== undefined) most.set(maxBytes);
      if (eviction !== undefined) policy.set({ policy: eviction }, 1);
    },
  };
}

interface RedisMemory {
  readonly usedBytes?: number;
  readonly maxBytes?: number;
  readonly eviction?: string;
}

interface RedisState {
  readonly classes: readonly { readonly name: string; readonly state: ClassState }[];
  readonly memory: RedisMemory;
}

async function ask(redis: Redis, classes: QueueMetricsOptions["classes"]): Promise<RedisState> {
  const queues = await classes();
  const [memory, ...states] = await Promise.all([
    // A user of Redis may be denied it.
    redis.info("memory").then(memoryOf, () => ({})),
    ...queues.map(async (queue) => ({ name: workerClassName(queue), state: await readClassState(redis, queue) })),
  ]);
  return { classes: states, memory };
}

function memoryOf(text: string): RedisMemory {
  const valueOf = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)\\s*$`, "mu").exec(text)?.[1];
  const used = valueOf("used_memory");
  const most = valueOf("maxmemory");
  const eviction = valueOf("maxmemory_policy");
  return {
    ...(used === undefined ? {} : { usedBytes: Number(used) }),
    ...(most === undefined ? {} : { maxBytes: Number(most) }),
    ...(eviction === undefined ? {} : { eviction }),
  };
}
