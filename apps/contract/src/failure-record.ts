import { schemaFaults, SlidelightError } from "@slidelight/core/request";
import { z } from "zod";

/** Where the store keeps what is no result: plans and shards in progress, and what failed. */
export const workPrefix = ".slidelight/";
export const failurePrefix = `${workPrefix}failures/`;

/** What is written beside the results when an image has failed for good. */
const failureRecordSchema = z.object({
  schemaVersion: z.literal(1),
  image: z.object({ uri: z.string(), key: z.string(), etag: z.string(), bytes: z.number() }),
  model: z.object({ uri: z.string(), sha256: z.string() }),
  jobId: z.string(),
  methods: z.array(z.string()),
  targets: z.array(z.string()),
  code: z.string(),
  message: z.string(),
  attempts: z.number().int(),
  failedAt: z.string(),
  worker: z.string(),
  /** The job's log: what each attempt met. */
  log: z.array(z.string()),
});

export type FailureRecord = z.output<typeof failureRecordSchema>;

/** One for each job: an image that changed and failed again has another. */
export function failureKey({
  image,
  jobId,
}: {
  readonly image: { readonly key: string };
  readonly jobId: string;
}): string {
  return `${failurePrefix}${image.key}/${jobId}.json`;
}

export function encodeFailureRecord(record: FailureRecord): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(record, undefined, 2)}\n`);
}

/** @throws {SlidelightError} `job-invalid` naming what does not fit. */
export function parseFailureRecord(bytes: Uint8Array, uri: string): FailureRecord {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new SlidelightError("job-invalid", `Reading the failure record ${uri}: expected JSON, got something else.`, {
      cause: error,
    });
  }
  const parsed = failureRecordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SlidelightError("job-invalid", `Reading the failure record ${uri}: ${schemaFaults(parsed.error)}.`);
}
