import type { Engine, Precision } from "../../engine/engine.ts";
import { deviceShare, narrowness } from "../../engine/memory.ts";
import { availableBytes } from "../../io/available-bytes.ts";

/**
 * Bytes that one tile may take in the engine when nothing else is said: a quarter of what the process may use, as the
 * machine or its container says. Less makes the halos of gradients dear.
 */
export function defaultMemoryBytes(): number {
  return Math.min(mostBytes, Math.max(leastBytes, availableBytes() / 4));
}

const leastBytes = 1.5 * 2 ** 30;
const mostBytes = 8 * 2 ** 30;

export interface TileMemory {
  /** Bytes that one tile may take; by default what the machine or the accelerator has to spare. */
  readonly memoryBytes?: number;
  /** Its overhead and memory count, and whether tiles should be alike, or differ in nothing but their sizes. */
  readonly engine: Pick<
    Engine,
    "overhead" | "resizedOverhead" | "memoryBytes" | "keepsOrder" | "alikeTiles" | "resizes"
  >;
  readonly precision: Precision;
}

/** Bytes of a tile graph's values, as float32 counts them, that may be alive at once in the engine. */
export function valueBytes({ engine, memoryBytes, precision }: TileMemory): number {
  const device = engine.memoryBytes === undefined ? defaultMemoryBytes() : engine.memoryBytes * deviceShare;
  return (memoryBytes ?? device) / engine.overhead / narrowness[precision];
}

/** What a tile's program is fitted into by computing values again; `undefined` where the engine would undo it. */
export function recomputeAbove(memory: TileMemory): number | undefined {
  return memory.engine.keepsOrder ? valueBytes(memory) : undefined;
}
