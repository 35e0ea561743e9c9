import { schemaFaults, SlidelightError } from "@slidelight/core/request";
import { z } from "zod";

/** How payloads of one version are read: each as what the newest version says. */
export interface PayloadVersion<T> {
  /** @throws {SlidelightError} `job-invalid` naming what does not fit. */
  read(data: unknown, noun: string): T;
}

/**
 * Payloads by their version. A release knows all versions that were ever written to a queue that it may be given; a new version is
 * one more entry here, and the entries before it learn to say the same in the new form.
 *
 * Whatever decides a result is part of a version: a schema refuses keys that it does not know, because a setting that an old
 * worker left out would give other results under the same name. So a new setting, also an optional one, is a new version; and
 * whoever writes a payload writes the oldest version that can say all of it, so that workers of the release before do it too.
 */
export type PayloadVersions<T> = Readonly<Record<number, PayloadVersion<T>>>;

/** @param upgrade Says what the payload says as the newest version does. */
export function version<S extends z.ZodType, T>(schema: S, upgrade: (payload: z.output<S>) => T): PayloadVersion<T> {
  return {
    read: (data, noun) => {
      const parsed = schema.safeParse(data);
      if (parsed.success) return upgrade(parsed.data);
      throw new SlidelightError(
        "job-invalid",
        `Reading the payload of ${noun}: expected what its version says, got faults: ${schemaFaults(parsed.error)}. Enqueue it again with a producer of the workers' release.`,
      );
    },
  };
}

const stamp = z.object({ version: z.number().int() });

/**
 * Reads a payload of any version that is known.
 * @throws {SlidelightError} `job-newer` for a version above those; `job-invalid` for what is none at all.
 */
export function readPayload<T>(
  data: unknown,
  { noun, versions }: { readonly noun: string; readonly versions: PayloadVersions<T> },
): T {
  const known = Object.keys(versions).map(Number);
  const newest = Math.max(...known);
  const got = stamp.safeParse(data).data?.version;
  if (got !== undefined && got > newest) {
    throw new SlidelightError(
      "job-newer",
      `Reading the payload of ${noun}: expected version ${newest} or an older one, got version ${got}, which a later release has written. Start workers of that release, on the same queue; those of this one leave it to them.`,
    );
  }
  const reader = got === undefined ? undefined : versions[got];
  if (reader !== undefined) return reader.read(data, noun);
  throw new SlidelightError(
    "job-invalid",
    `Reading the payload of ${noun}: expected one of the versions ${known.join(", ")}, got ${got === undefined ? "none" : `version ${got}`}. Enqueue it again with a producer of the workers' release.`,
  );
}
