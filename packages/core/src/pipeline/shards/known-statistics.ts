import { decodeStatistics, encodeStatistics } from "../../format/output/shard-file.ts";
import type { Precision } from "../../engine/engine.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { StatisticTable } from "../../explain/explanation.ts";
import type { Abortable } from "../../io/byte-source.ts";
import type { ShardStore } from "./shard-store.ts";
import { knownName } from "./work-plan.ts";

interface KnownOptions extends Abortable {
  readonly precision: Precision;
  readonly sweep: number;
}

/** Tells those who compute a sweep's shards what the sweeps before it found; before the first there is nothing. */
export async function writeKnown(
  store: ShardStore,
  { precision, sweep, known, signal }: KnownOptions & { readonly known: StatisticTable },
): Promise<void> {
  if (sweep > 0) await store.write(knownName(precision, sweep), encodeStatistics(known), { signal });
}

/** @throws {SlidelightError} `shard-invalid` when it is not there. */
export async function readKnown(
  store: ShardStore,
  { precision, sweep, signal }: KnownOptions,
): Promise<StatisticTable> {
  if (sweep === 0) return new Map();
  const name = knownName(precision, sweep);
  const bytes = await store.read(name, { signal });
  if (bytes !== undefined) return decodeStatistics(bytes, `${store.uri}/${name}`);
  throw new SlidelightError(
    "shard-invalid",
    `Reading ${store.uri}/${name}: expected the statistics of the sweeps before, got nothing. The image is looked at again.`,
  );
}
