import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { shareWork } from "../../io/shared-work.ts";
import type { SharedWork } from "../../io/shared-work.ts";
import type { RgbBlock } from "../images/decode.ts";
import type { TiffFile } from "./directories.ts";
import { decodedBytes } from "./page.ts";
import type { Page } from "./page.ts";
import { keptBlocks } from "./kept-blocks.ts";
import { readSegments, segmentTags } from "./read-segments.ts";
import type { SegmentLevel, SegmentOutcome } from "./read-segments.ts";

/** Gives decoded tiles and strips, keeping those that were used last. */
export interface SegmentReader {
  /**
   * Segments of a level as RGB, in their order, each `undefined` where it is blank.
   * @param at.indices ascending
   * @throws {SlidelightError} In the segment's own promise: `image-corrupt`/`image-truncated` with its place in message and detail, `store-*`.
   */
  read(
    at: { readonly level: number; readonly indices: readonly number[] },
    options: Abortable,
  ): readonly Promise<RgbBlock | undefined>[];
}

/** A segment that is being read, with others. */
interface Reading {
  readonly work: SharedWork<readonly SegmentOutcome[]>;
  /** Among those. */
  readonly position: number;
}

/**
 * Decoded bytes of the segments that are read together: where they are large, each is worth a call of its own. A call costs the main thread one or two milliseconds, whatever
 * it decodes; several of them are decoded beside each other for one region, and several regions are read ahead.
 */
const togetherBytes = 4_194_304;

/**
 * @param options.source where the compressed bytes come from; coalesced, so that neighbours are one request
 * @param options.cacheBytes memory for decoded segments
 */
export async function openSegmentReader(
  file: TiffFile,
  options: Abortable & {
    readonly pages: readonly [Page, ...Page[]];
    readonly source: ByteSource;
    readonly cacheBytes: number;
  },
): Promise<SegmentReader> {
  const { pages, source, cacheBytes, signal } = options;
  const [{ orientation }] = pages;
  const levels: SegmentLevel[] = [];
  for (const [level, page] of pages.entries())
    levels.push({ level, page, orientation, copied: await segmentTags(file, { page, signal }) });

  const kept = keptBlocks(cacheBytes);
  const reading = new Map<string, Reading>();
  const keyOf = (level: number, index: number): string => `${level}:${index}`;
  const start = (level: SegmentLevel, indices: readonly number[]): void => {
    const keys = indices.map((index) => keyOf(level.level, index));
    const work = shareWork(async (signal) => {
      try {
        const outcomes = await readSegments(file, { ...level, source, indices, signal });
        for (const [position, key] of keys.entries()) {
          const outcome = outcomes[position];
          if (outcome?.status === "fulfilled" && outcome.value !== undefined) kept.keep(key, outcome.value);
        }
        return outcomes;
      } finally {
        for (const key of keys) if (reading.get(key)?.work === work) reading.delete(key);
      }
    });
    for (const [position, key] of keys.entries()) reading.set(key, { work, position });
  };
  return {
    read: ({ level, indices }, readOptions) => {
      const from = levelAt(levels, level);
      const isNew = (index: number): boolean => {
        const key = keyOf(level, index);
        return !kept.has(key) && reading.get(key)?.work.abandoned !== false;
      };
      for (const together of groupsOf(indices.filter(isNew), from.page)) start(from, together);
      return indices.map(async (index) => {
        const key = keyOf(level, index);
        const known = kept.use(key);
        if (known !== undefined) return known;
        const started = reading.get(key);
        if (started === undefined) throw new RangeError("Every segment that is not kept is being read.");
        const outcome = (await started.work.join(readOptions))[started.position];
        if (outcome?.status === "rejected") throw outcome.reason;
        return outcome?.value;
      });
    },
  };
}

/** Segments that are read together. */
function groupsOf(indices: readonly number[], page: Page): readonly (readonly number[])[] {
  const length = Math.max(1, Math.floor(togetherBytes / decodedBytes(page)));
  return Array.from({ length: Math.ceil(indices.length / length) }, (_, group) =>
    indices.slice(group * length, (group + 1) * length),
  );
}

function levelAt(levels: readonly SegmentLevel[], level: number): SegmentLevel {
  const found = levels[level];
  if (found === undefined) throw new RangeError(`The image has ${levels.length} levels, got level ${level}.`);
  return found;
}
