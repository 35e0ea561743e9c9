import type { Size } from "@slidelight/core";
import { randomOf } from "./random.ts";

/** What an archive holds: slides of large specimens, of biopsies, and small images. */
export interface Archive {
  readonly slides: number;
  /** Median of the large specimens. */
  readonly size: Size;
  /** Standard deviation of a side's logarithm. */
  readonly spread: number;
  /** Shares of all slides; the others are large specimens. */
  readonly biopsies: number;
  readonly small: number;
  /** Share of a slide's tiles that holds tissue, the least and the most; between them all are as likely. */
  readonly tissue: readonly [number, number];
  /** Share of slides that can't be read. */
  readonly poisoned: number;
  readonly seed: number;
}

export interface Slide extends Size {
  readonly index: number;
  /** Share of its tiles. */
  readonly tissue: number;
  readonly poisoned: boolean;
}

/** Of a biopsy over a large specimen. */
const biopsySide = 0.45;
/** Median side of an image that is no slide: a cut-out, a microscope's field. */
const smallSide = 3000;
const sides = { least: 256, most: 250_000 } as const;
/** Below this many pixels no tile is left out, as in the product. */
const tissuePixels = 64_000_000;

/** Slide `index` of the archive; nothing is kept, so an archive may have any number. */
export function slideOf(archive: Archive, index: number): Slide {
  const random = randomOf(archive.seed, "slide", index);
  const kind = random.uniform();
  const isSmall = kind < archive.small;
  const scale = kind < archive.small + archive.biopsies ? biopsySide : 1;
  const side = (median: number): number => {
    const pixels = (isSmall ? smallSide : median * scale) * Math.exp(archive.spread * random.normal());
    return Math.round(Math.min(sides.most, Math.max(sides.least, pixels)));
  };
  const size = { width: side(archive.size.width), height: side(archive.size.height) };
  const [least, most] = archive.tissue;
  const tissue = least + (most - least) * random.uniform();
  const poisoned = random.uniform() < archive.poisoned;
  return { index, ...size, tissue: size.width * size.height < tissuePixels ? 1 : tissue, poisoned };
}
