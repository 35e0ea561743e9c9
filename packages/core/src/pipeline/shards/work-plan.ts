import { createHash } from "node:crypto";
import { z } from "zod";
import type { Engine, Precision } from "../../engine/engine.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Interval } from "../../geometry/interval.ts";
import type { Size } from "../../geometry/rectangle.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import { gridOfCores } from "../../geometry/tile-grid.ts";
import type { KeptBlocks } from "../tiles/tissue.ts";

/** One sweep: the tiles in the order in which they are visited and merged, and which runs of them are a shard each. */
export interface DividedSweep {
  readonly tiles: readonly number[];
  readonly shards: readonly Interval[];
}

/**
 * How an image's runs are computed: made once, by whoever looks at the image first, and kept until the results are
 * committed. Workers differ in memory and speed; whoever goes on with the image must go on with the same tiles.
 */
export interface WorkPlan {
  /** Ids of the runs that are computed together, in this order. */
  readonly runs: readonly string[];
  readonly precision: Precision;
  readonly grid: TileGrid;
  /** What is computed of the image; the rest is glass. */
  readonly tissue: KeptBlocks;
  readonly sweeps: readonly DividedSweep[];
}

/**
 * Of everything below a work's prefix: plans, known statistics and shards. It is part of the work's name: one release never reads
 * what another one wrote in another form.
 */
export const workFormatVersion = 6;
const index = z.number().int().nonnegative();
const size = z.object({ width: index, height: index });

const workPlanSchema = z.object({
  version: z.literal(workFormatVersion),
  runs: z.array(z.string()).min(1),
  precision: z.enum(["float32", "bfloat16", "float16"]),
  core: size,
  window: z.object({ extended: size, size: size.optional() }).optional(),
  tissue: z.object({ block: size, kept: z.array(index) }),
  sweeps: z.array(z.object({ tiles: z.array(index), shards: z.array(z.object({ start: index, end: index })) })),
});

export function encodeWorkPlan({ runs, precision, grid, tissue, sweeps }: WorkPlan): Uint8Array {
  const { core, window } = grid;
  const stored = { version: workFormatVersion, runs, precision, core, window, tissue, sweeps };
  return new TextEncoder().encode(JSON.stringify(stored));
}

/** @throws {SlidelightError} `shard-invalid` when it is no plan of this release. */
export function parseWorkPlan(
  bytes: Uint8Array,
  { uri, image }: { readonly uri: string; readonly image: Size },
): WorkPlan {
  const parsed = workPlanSchema.safeParse(jsonOf(bytes));
  if (!parsed.success) {
    throw new SlidelightError(
      "shard-invalid",
      `Reading the plan ${uri}: expected one of version ${workFormatVersion}, got ${z.prettifyError(parsed.error)}. Remove ${uri}, and the image is begun anew.`,
    );
  }
  const { core, window, version: _, ...plan } = parsed.data;
  return { ...plan, grid: { ...gridOfCores(image, core), ...(window === undefined ? {} : { window }) } };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Everything that decides which bytes a shard holds, besides the plan itself. */
export interface WorkIdentity {
  /** Where its results go: the same bytes under two keys are two images. */
  readonly key: string;
  /** Of all runs that were asked for, those that are done already too. */
  readonly runs: readonly string[];
  readonly engine: Pick<Engine, "name" | "provider" | "version">;
  readonly precision: Precision;
  readonly tile: number | "fastest" | undefined;
}

/**
 * Names the work on an image: the same for every worker that takes it up, another one with another engine, whose last bits
 * differ.
 */
export function workId({ key, runs, engine, precision, tile }: WorkIdentity): string {
  const parts = [workFormatVersion, key, runs, engine.name, engine.provider, engine.version, precision, tile ?? ""];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

export const planName = (precision: Precision): string => `${precision}/plan.json`;

export function isPlan(name: string): boolean {
  return name.endsWith("/plan.json");
}

/** What is known before a sweep, for those who compute its shards elsewhere. */
export const knownName = (precision: Precision, sweep: number): string => `${precision}/${sweep}/known.json`;

/** Prefix of the names of a sweep's shards. */
export const sweepPrefix = (precision: Precision, sweep: number): string => `${precision}/${sweep}/`;

export function shardName(precision: Precision, sweep: number, shard: number): string {
  return `${sweepPrefix(precision, sweep)}${String(shard).padStart(4, "0")}.shard`;
}

/** The tiles of a shard that somebody had to leave before it was whole. */
export function partName(shard: string): string {
  return `${shard}.part`;
}
