import { availableBytes } from "../io/available-bytes.ts";
import type { Precision } from "./engine.ts";

/** What a value takes in a precision, beside float32: sums and maps stay wide, but they are few. */
export const narrowness: { readonly [P in Precision]: number } = { float32: 1, bfloat16: 0.5, float16: 0.5 };

/** What programs may hold in working memory; in between, what the machine can spare decides. */
export interface WarmLimits {
  /** Bytes that may stay between runs, beside the program that runs. */
  readonly leastBytes: number;
  /** Of all programs together, the one that runs included. */
  readonly mostBytes: number;
}

/** What may be said of that when an engine is opened. */
export interface WarmSettings {
  /** Bytes that one tile's program may take: all together keep no more than twice that. Default: half of the machine's. */
  readonly memoryBytes?: number;
  /** Bytes that programs may keep between runs beside the one that runs. Default: what the machine can spare; of an accelerator's memory, four fifths, the one that runs included. */
  readonly warmBytes?: number;
}

const leastWarmBytes = 0.5 * 2 ** 30;
const mostLeastWarmBytes = 2 * 2 ** 30;
/** Of an accelerator's own memory, which nothing else is in unless less is given: what a tile may take, and what programs may keep beside it; a fifth is left. */
export const deviceShare = 0.4;

/** An accelerator's own memory, where it tells. */
interface DeviceMemory {
  readonly memoryBytes?: number | undefined;
}

/** What an engine's programs may hold: on an accelerator that does not tell its memory, no more than what a computer has to spare in any case. */
export function warmLimits(settings: WarmSettings, accelerator: DeviceMemory | undefined): WarmLimits {
  const host = hostWarmLimits(settings);
  if (settings.warmBytes === undefined && accelerator === undefined) return host;
  const { memoryBytes } = accelerator ?? {};
  if (settings.warmBytes === undefined && memoryBytes !== undefined) return deviceWarmLimits(memoryBytes, settings);
  const fixed = settings.warmBytes ?? host.leastBytes;
  return { leastBytes: fixed, mostBytes: fixed };
}

/**
 * What programs may hold of an accelerator's memory: the more, the less the one that runs takes.
 * @param settings.memoryBytes less than its share, where other processes compute on it too
 */
export function deviceWarmLimits(
  memoryBytes: number,
  { memoryBytes: given = Infinity }: Pick<WarmSettings, "memoryBytes"> = {},
): WarmLimits {
  const share = Math.min(Math.floor(memoryBytes * deviceShare), given);
  return { leastBytes: share, mostBytes: 2 * share };
}

/**
 * What programs may hold of a computer's memory: a sixteenth of what there is in any case; where nobody else needs it half of that, or twice of what
 * one tile may take. Memory that is given back must be touched anew, which costs a gradient's program a quarter of its run.
 */
export function hostWarmLimits({ memoryBytes = Infinity }: Pick<WarmSettings, "memoryBytes">): WarmLimits {
  const bytes = availableBytes();
  const leastBytes = Math.min(mostLeastWarmBytes, Math.max(leastWarmBytes, bytes / 16));
  return { leastBytes, mostBytes: Math.min(bytes / 2, 2 * memoryBytes) };
}

const mostReservedBytes = 4 * 2 ** 30;

/**
 * Bytes that this process could take so that a quarter of the machine's or container's memory, or 4 GiB, stays free; less than 0 where that is not
 * free now.
 */
function spareBytes(): number {
  return process.availableMemory() - Math.min(mostReservedBytes, availableBytes() / 4);
}

/** The same for what a provider computes in: of an accelerator's own memory nobody else takes any. */
export function spareBytesOf(provider: string): () => number {
  return provider === "cpu" ? spareBytes : () => Infinity;
}
