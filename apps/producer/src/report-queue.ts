import { failureKey, parseFailedReason } from "@slidelight/contract";
import type { Abortable, ObjectStore } from "@slidelight/core";
import { z } from "zod";
import { jobPages, payloadOf } from "./job-pages.ts";
import type { StoredJob } from "./job-pages.ts";
import type { OpenQueue } from "./open-queue.ts";
import { unknownImage } from "./queue-state.ts";
import type { ReportEntry } from "./report-entry.ts";

/** Payloads and results of other releases are told as far as they are understood. */
const payload = z.object({
  image: z.object({ uri: z.string(), key: z.string() }),
  out: z.string(),
  settings: z.object({ methods: z.array(z.string()), targets: z.array(z.string()) }),
});
const results = z.array(
  z.object({
    status: z.enum(["done", "skipped"]),
    runId: z.string(),
    method: z.string(),
    target: z.string(),
    output: z.string(),
  }),
);

const fields = ["data", "returnvalue", "failedReason", "finishedOn", "atm"] as const;
/** Look-ups that run together. */
const concurrency = 32;

/** What the queue remembers of jobs that ended: those of some days, and not too many. */
export async function* queueEntries(queue: OpenQueue): AsyncGenerator<ReportEntry> {
  for await (const { jobs } of jobPages(queue, { state: "completed", fields })) {
    for (const job of jobs) yield* doneEntries(job);
  }
  for await (const { jobs } of jobPages(queue, { state: "failed", fields })) {
    for (const job of jobs) yield failedEntry(job);
  }
}

/** Failed jobs of a store's images of which the store holds no record: their workers were lost, or could not write. */
export async function* unrecordedFailures(
  queue: OpenQueue,
  { store, signal }: Abortable & { readonly store: ObjectStore },
): AsyncGenerator<ReportEntry> {
  for await (const { jobs } of jobPages(queue, { state: "failed", fields })) {
    const own = jobs.filter((job) => payload.safeParse(payloadOf(job)).data?.out.replace(/\/+$/u, "") === store.uri);
    for (let start = 0; start < own.length; start += concurrency) {
      const group = await Promise.all(
        own.slice(start, start + concurrency).map(async (job) => {
          const entry = failedEntry(job);
          const recorded = await store.head(failureKey({ image: entry, jobId: job.id }), { signal });
          return recorded === undefined ? [entry] : [];
        }),
      );
      yield* group.flat();
    }
  }
}

function* doneEntries(job: StoredJob): Generator<ReportEntry> {
  const { image, at, attempts } = told(job);
  for (const result of results.safeParse(payloadOf(job, "returnvalue")).data ?? []) {
    yield { ...image, ...result, code: null, message: null, attempts, at };
  }
}

function failedEntry(job: StoredJob): ReportEntry {
  const { image, at, attempts, settings } = told(job);
  const { code, message } = parseFailedReason(job.fields["failedReason"] ?? "");
  const method = settings?.methods.join(" ") ?? null;
  const target = settings?.targets.join(" ") ?? null;
  return { ...image, status: "failed", runId: null, method, target, output: null, code, message, attempts, at };
}

function told(job: StoredJob) {
  const data = payload.safeParse(payloadOf(job)).data;
  const { finishedOn, atm } = job.fields;
  return {
    image: { image: data?.image.uri ?? unknownImage(job.id), key: data?.image.key ?? "" },
    settings: data?.settings,
    at: finishedOn === undefined ? null : new Date(Number(finishedOn)).toISOString(),
    attempts: atm === undefined ? null : Number(atm),
  };
}
