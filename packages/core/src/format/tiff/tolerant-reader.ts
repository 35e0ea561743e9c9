import { SlidelightError } from "../../errors/slidelight-error.ts";
import { levelIndex } from "../../geometry/units.ts";
import type { UnreadableCode, UnreadablePart } from "../image.ts";
import type { Page } from "./page.ts";
import { segmentPlace } from "./segment-place.ts";
import type { SegmentReader } from "./segment-reader.ts";

/**
 * Gives what is damaged in the file as blank, and tells each such segment once. A segment is all there or all blank, so that
 * regions that overlap agree; what a store refuses stays an error.
 */
export function tolerantReader(
  reader: SegmentReader,
  options: { readonly pages: readonly [Page, ...Page[]]; readonly tolerate: (bad: UnreadablePart) => void },
): SegmentReader {
  const { pages, tolerate } = options;
  const [base] = pages;
  const bad = new Set<string>();
  return {
    read: ({ level, indices }, readOptions) => {
      const keyOf = (index: number): string => `${level}:${index}`;
      const whole = indices.filter((index) => !bad.has(keyOf(index)));
      const segments = reader.read({ level, indices: whole }, readOptions);
      const segmentOf = new Map(whole.map((index, position) => [index, segments[position]]));
      return indices.map(async (index) => {
        try {
          return await segmentOf.get(index);
        } catch (error) {
          if (!(error instanceof SlidelightError) || !isUnreadable(error.code)) throw error;
          if (bad.has(keyOf(index))) return undefined;
          bad.add(keyOf(index));
          const { rectangle } = segmentPlace(pages[level] ?? base, { level, index, orientation: base.orientation });
          tolerate({ level: levelIndex(level), rectangle, code: error.code, message: error.message });
          return undefined;
        }
      });
    },
  };
}

const unreadable: Readonly<Record<string, true | undefined>> = {
  "image-corrupt": true,
  "image-truncated": true,
} satisfies Readonly<Record<UnreadableCode, true>>;

function isUnreadable(code: string): code is UnreadableCode {
  return unreadable[code] === true;
}
