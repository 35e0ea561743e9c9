import type { OpenQueue } from "./open-queue.ts";

/** Jobs that are looked at together. */
export const pageSize = 1000;

/** Lists of a queue's Redis keys; the other states are sorted sets. */
const lists: ReadonlySet<string> = new Set(["wait", "active"]);

export type JobState = "wait" | "active" | "delayed" | "prioritized" | "waiting-children" | "completed" | "failed";

/** A job's fields as they rest in Redis: `data` is JSON. */
export interface StoredJob {
  readonly id: string;
  readonly fields: Readonly<Record<string, string | undefined>>;
}

/**
 * The jobs of a state, a page at a time, with some of their fields. What moves meanwhile may come twice. `removed` tells how many of
 * the page's jobs have left the state, so that the next page does not leave as many out.
 * @throws {SlidelightError} `queue-unavailable`.
 */
export async function* jobPages(
  opened: Pick<OpenQueue, "name" | "queue" | "redis" | "ask">,
  { state, fields }: { readonly state: JobState; readonly fields: readonly string[] },
): AsyncGenerator<{ readonly jobs: readonly StoredJob[]; readonly removed: (count: number) => void }> {
  const { name, queue, redis, ask } = opened;
  const key = queue.toKey(state);
  for (let start = 0; ; ) {
    const end = start + pageSize - 1;
    const { ids, jobs } = await ask(`Reading jobs of ${name}`, async () => {
      const ids = lists.has(state) ? await redis.lrange(key, start, end) : await redis.zrange(key, start, end);
      return { ids, jobs: await readJobs(ids, { queue, redis, fields }) };
    });
    if (ids.length === 0) return;
    let gone = 0;
    yield {
      jobs,
      removed: (count) => {
        gone += count;
      },
    };
    start += ids.length - gone;
  }
}

/** Jobs by their ids; those that are no longer there are left out. */
export async function readJobs(
  ids: readonly string[],
  { queue, redis, fields }: Pick<OpenQueue, "queue" | "redis"> & { readonly fields: readonly string[] },
): Promise<readonly StoredJob[]> {
  const lookups = redis.pipeline();
  for (const id of ids) lookups.hmget(queue.toKey(id), ...fields);
  const answers = (await lookups.exec()) ?? [];
  return ids.flatMap((id, index) => {
    const [error, values] = answers[index] ?? [];
    if (error) throw error;
    if (!Array.isArray(values) || values.every((value) => value === null)) return [];
    return [{ id, fields: Object.fromEntries(fields.map((field, at) => [field, text(values[at])])) }];
  });
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The payload of a stored job; `undefined` when it is no JSON. */
export function payloadOf({ fields }: StoredJob, field = "data"): unknown {
  try {
    return JSON.parse(fields[field] ?? "null");
  } catch {
    return undefined;
  }
}
