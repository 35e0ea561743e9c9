import type { Redis } from "ioredis";
import { imageQueueName, shardQueueName } from "./queue-names.ts";

/** How a queue keeps the jobs of a state. */
const states = {
  wait: "list",
  prioritized: "set",
  active: "list",
  delayed: "set",
  "waiting-children": "set",
  completed: "set",
  failed: "set",
} as const satisfies Readonly<Record<string, "list" | "set">>;

export type JobState = keyof typeof states;

const jobStates = [
  "wait",
  "prioritized",
  "active",
  "delayed",
  "waiting-children",
  "completed",
  "failed",
] as const satisfies readonly JobState[];

export interface JobsOfQueue {
  readonly jobs: { readonly [S in JobState]: number };
  /** Whether nobody takes jobs of it until it is resumed. */
  readonly paused: boolean;
  /** Since the oldest of the jobs that are taken next was added; 0 when none waits. */
  readonly oldestSeconds: number;
}

/** The queues of one class of workers. */
export interface ClassState {
  readonly images: JobsOfQueue;
  readonly shards: JobsOfQueue;
}

/**
 * Of the jobs that are taken next, so many are looked at: jobs of high priority, handed back ones and images whose shards are done
 * stand before the one that has waited longest.
 */
const looked = 64;

/**
 * What the queues of one class of workers hold, in two round trips, whatever their length.
 * @param queue What is given as `--queue`.
 * @throws {Error} When Redis refuses a command.
 */
export async function readClassState(redis: Redis, queue: string | undefined): Promise<ClassState> {
  const [images, shards] = await Promise.all([
    readQueue(redis, imageQueueName(queue)),
    readQueue(redis, shardQueueName(queue)),
  ]);
  return { images, shards };
}

async function readQueue(redis: Redis, name: string): Promise<JobsOfQueue> {
  const keyOf = (part: string): string => `bull:${name}:${part}`;
  const asked = redis.pipeline();
  for (const state of jobStates) {
    if (states[state] === "list") asked.llen(keyOf(state));
    else asked.zcard(keyOf(state));
  }
  asked.hexists(keyOf("meta"), "paused");
  // The list is taken from its end, the set of prioritised jobs from its lowest score.
  asked.lrange(keyOf("wait"), -looked, -1).zrange(keyOf("prioritized"), 0, looked - 1);
  const answers = answersOf(await asked.exec());
  const countOf = (state: JobState): number => Number(answers[jobStates.indexOf(state)]);
  const ids = answers
    .slice(jobStates.length + 1)
    .flatMap((answer) => (Array.isArray(answer) ? answer.map(String) : []));
  return {
    jobs: {
      wait: countOf("wait"),
      prioritized: countOf("prioritized"),
      active: countOf("active"),
      delayed: countOf("delayed"),
      "waiting-children": countOf("waiting-children"),
      completed: countOf("completed"),
      failed: countOf("failed"),
    },
    paused: answers[jobStates.length] === 1,
    oldestSeconds: await oldestOf(redis, ids.map(keyOf)),
  };
}

async function oldestOf(redis: Redis, keys: readonly string[]): Promise<number> {
  if (keys.length === 0) return 0;
  const asked = redis.pipeline();
  for (const key of keys) asked.hget(key, "timestamp");
  // One that was removed meanwhile has none.
  const added = answersOf(await asked.exec())
    .map(Number)
    .filter((time) => time > 0);
  return added.length === 0 ? 0 : Math.max(0, (Date.now() - Math.min(...added)) / 1000);
}

function answersOf(results: readonly (readonly [Error | null, unknown])[] | null): readonly unknown[] {
  return (results ?? []).map(([error, answer]) => {
    if (error !== null) throw error;
    return answer;
  });
}
