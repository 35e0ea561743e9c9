import { balancedTileGrid, coreOf, tileCount } from "@slidelight/core";
import type { Slide } from "./slides.ts";
import { randomOf } from "./random.ts";

/** How slides are read. */
export interface Reading {
  /** Longest side of a tile's core, in pixels. */
  readonly tile: number;
  /** What a tile reads around its core. */
  readonly halo: number;
  /** Of the compressed image. */
  readonly bytesPerPixel: number;
}

/** What there is to compute and to read of one slide. */
export interface SlideTiles {
  /** Of each kept tile's core, in the order of the sweep. */
  readonly pixels: readonly number[];
  /** Of a whole inner tile; tiles at an edge read less. */
  readonly gets: number;
  /** Read for each pixel of a core, its halo included. */
  readonly readBytesPerPixel: number;
}

/** The network's, which cores are aligned to. */
const stride = 16;
/** Side of the tiles that scanners write. */
const segmentSide = 256;
/** The product's reads are merged up to so many bytes. */
const mostReadBytes = 8_388_608;

/** The product's tile grid, and of its tiles those in an ellipse as large as the tissue. */
export function tilesOf(slide: Slide, { tile, halo, bytesPerPixel }: Reading, seed: number): SlideTiles {
  const grid = balancedTileGrid(slide, { core: { width: tile, height: tile }, stride });
  const isTissue = tissueOf(slide, seed);
  const all: number[] = [];
  const kept: number[] = [];
  for (let index = 0; index < tileCount(grid); index += 1) {
    const { x, y, width, height } = coreOf(grid, index);
    const pixels = width * height;
    if (isTissue(x + width / 2, y + height / 2)) kept.push(pixels);
    else if (kept.length === 0) all.push(pixels);
  }
  const width = Math.min(slide.width, grid.core.width + 2 * halo);
  const height = Math.min(slide.height, grid.core.height + 2 * halo);
  // A tile's edge falls anywhere in a segment: one more of them than fit.
  const columns = grid.columns === 1 ? Math.ceil(width / segmentSide) : Math.ceil(width / segmentSide) + 1;
  const rows = grid.rows === 1 ? Math.ceil(height / segmentSide) : Math.ceil(height / segmentSide) + 1;
  const rowBytes = columns * segmentSide ** 2 * bytesPerPixel;
  // Segments of a row lie one after the other; rows do where a tile is as wide as the slide.
  const gets =
    grid.columns === 1 ? Math.ceil((rows * rowBytes) / mostReadBytes) : rows * Math.ceil(rowBytes / mostReadBytes);
  return {
    pixels: kept.length > 0 ? kept : all,
    gets,
    readBytesPerPixel:
      (rows * rowBytes) / (Math.min(slide.width, grid.core.width) * Math.min(slide.height, grid.core.height)),
  };
}

function tissueOf({ width, height, tissue, index }: Slide, seed: number): (x: number, y: number) => boolean {
  if (tissue >= 1) return () => true;
  const random = randomOf(seed, "tissue", index);
  // Of the slide's own shape, with the tissue's area; it may not reach over an edge.
  const half = Math.min(0.5, Math.sqrt(tissue / Math.PI));
  const centreX = (half + (1 - 2 * half) * random.uniform()) * width;
  const centreY = (half + (1 - 2 * half) * random.uniform()) * height;
  return (x, y) => ((x - centreX) / width) ** 2 + ((y - centreY) / height) ** 2 <= half ** 2;
}
