/** Scores of so many positives and negatives lie between `score` and the next group's. */
export interface ScoreGroup {
  readonly score: number;
  readonly positives: number;
  readonly negatives: number;
}

/**
 * How often each score was given to a positive and to a negative, in memory that does not grow with how many there are. A bin
 * is what float32 numbers share in their upper 20 bits, so bins are at most 1/2048 of their score wide, whatever the
 * scale, and the range need not be known before the first score.
 */
export interface ScoreHistogram {
  /** Counts `scores`, where `positives` is not 0 as positive. Scores must be finite. */
  add(scores: ArrayLike<number>, positives: ArrayLike<number>): void;
  /** Counts what another one counted. */
  merge(other: ScoreHistogram): void;
  /** Groups that are not empty, from the highest score down. */
  groups(): readonly ScoreGroup[];
}

const droppedBits = 12;
/** Bins are kept in pages, which are made when they are first needed. */
const pageBits = 8;
const pageSize = 2 ** pageBits;

/** Each page: positives of its bins, then negatives. */
type Page = Float64Array;

export function openScoreHistogram(): ScoreHistogram {
  const pages = new Map<number, Page>();
  const word = new DataView(new ArrayBuffer(4));
  const binOf = (score: number): number => {
    // Adding 0 makes -0 the same score as 0.
    word.setFloat32(0, score + 0);
    const bits = word.getUint32(0);
    // In this order unsigned integers are ordered as the numbers are.
    const ordered = bits >= 0x80000000 ? ~bits >>> 0 : (bits | 0x80000000) >>> 0;
    return ordered >>> droppedBits;
  };
  const scoreOf = (bin: number): number => {
    const ordered = (bin << droppedBits) >>> 0;
    word.setUint32(0, ordered >= 0x80000000 ? ordered - 0x80000000 : ~ordered >>> 0);
    return word.getFloat32(0);
  };
  const count = (bin: number, positives: number, negatives: number): void => {
    const number = bin >>> pageBits;
    let page = pages.get(number);
    if (page === undefined) {
      page = new Float64Array(2 * pageSize);
      pages.set(number, page);
    }
    const at = bin & (pageSize - 1);
    page[at] = (page[at] ?? 0) + positives;
    page[pageSize + at] = (page[pageSize + at] ?? 0) + negatives;
  };
  return {
    add: (scores, positives) => {
      for (let index = 0; index < scores.length; index += 1) {
        const score = scores[index] ?? Number.NaN;
        if (!Number.isFinite(score)) throw new RangeError(`A score must be finite, got ${score}.`);
        const isPositive = (positives[index] ?? 0) !== 0;
        count(binOf(score), isPositive ? 1 : 0, isPositive ? 0 : 1);
      }
    },
    merge: (other) => {
      for (const { score, positives, negatives } of other.groups()) count(binOf(score), positives, negatives);
    },
    groups: () => {
      const groups: ScoreGroup[] = [];
      for (const [number, page] of [...pages].toSorted(([a], [b]) => b - a)) {
        for (let at = pageSize - 1; at >= 0; at -= 1) {
          const [positives, negatives] = [page[at] ?? 0, page[pageSize + at] ?? 0];
          if (positives + negatives > 0) groups.push({ score: scoreOf(number * pageSize + at), positives, negatives });
        }
      }
      return groups;
    },
  };
}

/** All that were counted. */
export function countScores(groups: readonly ScoreGroup[]): { readonly positives: number; readonly negatives: number } {
  return groups.reduce(
    (sum, group) => ({
      positives: sum.positives + group.positives,
      negatives: sum.negatives + group.negatives,
    }),
    { positives: 0, negatives: 0 },
  );
}
