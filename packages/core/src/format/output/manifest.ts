import { z } from "zod";
import { schemaFaults } from "../../errors/schema-faults.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";

const finite = z.number();
const precision = z.enum(["float32", "bfloat16", "float16"]);

/**
 * `manifest.json`, schema version 1: a contract for scripts. What differs between two runs that give the same result is
 * under `provenance` alone.
 */
export const manifestSchema = z.object({
  schemaVersion: z.literal(1),
  runId: z.string(),
  image: z.object({
    source: z.string(),
    width: z.number().int(),
    height: z.number().int(),
    level: z.number().int(),
    micronsPerPixel: finite.optional(),
    etag: z.string(),
    bytes: z.number().int(),
  }),
  model: z.object({
    sha256: z.string(),
    description: z.string().optional(),
    mean: z.array(finite),
    std: z.array(finite),
  }),
  method: z.string(),
  target: z.string(),
  layer: z.string(),
  exact: z.boolean(),
  exactReasons: z.array(z.string()),
  classes: z.array(z.object({ name: z.string(), logit: finite, probability: finite })),
  scale: z.object({ min: finite, max: finite }),
  statistics: z.object({ pooled: z.array(z.array(finite)), sweeps: z.number().int() }),
  tiles: z.object({
    width: z.number().int(),
    height: z.number().int(),
    columns: z.number().int(),
    rows: z.number().int(),
    kept: z.number().int(),
    stride: z.number().int(),
    /** What each tile computed, where all are alike: its core, which has the size above, and some of what lies beside it. */
    window: z.object({ width: z.number().int(), height: z.number().int() }).optional(),
  }),
  tissue: z.enum(["auto", "off"]),
  /** `used` is what the maps were computed in; `measured` is what led to it, as shares of the map's range. */
  precision: z
    .object({
      requested: precision,
      used: precision,
      measured: z
        .object({
          error: z.object({ quantile: finite, largest: finite, mean: finite }),
          bound: finite,
          probes: z.number().int(),
        })
        .optional(),
    })
    .optional(),
  /** Parts of the level that could not be read, in its pixels; with `--tolerate-bad-tiles` alone. */
  unreadable: z
    .array(
      z.object({
        x: z.number().int(),
        y: z.number().int(),
        width: z.number().int(),
        height: z.number().int(),
        code: z.string(),
      }),
    )
    .optional(),
  outputs: z.array(z.object({ path: z.string(), bytes: z.number().int(), sha256: z.string() })),
  provenance: z.object({
    startedAt: z.string(),
    seconds: z.record(z.string(), finite),
    host: z.string(),
    engine: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
});

export type Manifest = z.infer<typeof manifestSchema>;

/**
 * The bytes of a manifest.
 * @throws {SlidelightError} `model-overflow` naming every number that is not finite: JSON has no such numbers, and a
 * manifest that can't be read again would block its run for ever.
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const checked = manifestSchema.safeParse(manifest);
  if (!checked.success) {
    throw new SlidelightError(
      "model-overflow",
      `Writing the manifest of ${manifest.image.source}: ${schemaFaults(checked.error)}. The network overflows on this image: check its weights and pre-processing (--mean, --std).`,
    );
  }
  return new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
}

/**
 * Reads a manifest.
 * @throws {SlidelightError} `job-invalid` naming every field that is not as the schema says.
 */
export function parseManifest(bytes: Uint8Array, uri: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw damaged(uri, "expected JSON, got something else", error);
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged(uri, schemaFaults(parsed.error), parsed.error);
}

function damaged(uri: string, what: string, cause: unknown): SlidelightError {
  return new SlidelightError(
    "job-invalid",
    `Reading the manifest ${uri}: ${what}. Remove it, and the result is made again.`,
    { cause },
  );
}
