import { hash, smoothNoise, uniform } from "./noise.ts";

export interface TissueRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface TissueSettings {
  /** Everything follows from it and the position. */
  readonly seed: number;
  /** Share of the cells that are atypical, in the patches where atypical cells occur at all; 0 for normal tissue. */
  readonly atypical: number;
}

export interface Tissue {
  /** Interleaved RGB. */
  readonly rgb: Uint8Array;
  /** 255 where an atypical nucleus is, else 0. */
  readonly mask: Uint8Array;
}

/** Cells lie on a jittered grid of this pitch, in pixels (about 0.5 microns each). */
const pitch = 26;
/** A nucleus with its rim reaches at most this far from its grid cell's corner. */
const reach = 1;

/** Haematoxylin and eosin as they look under the microscope, 0..255. */
const eosin = [228, 158, 190] as const;
const fibre = [205, 118, 164] as const;
const haematoxylin = [92, 62, 138] as const;
const glass = [244, 241, 244] as const;

interface Nucleus {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly stretch: number;
  readonly cos: number;
  readonly sin: number;
  readonly atypical: boolean;
  readonly seed: number;
}

/**
 * Renders a region of an endless tissue: pink stroma with fibres, glass-like lumina, and nuclei of two kinds on a
 * jittered grid. Normal nuclei are small, round and smooth; atypical ones are larger, of irregular outline, with coarse
 * chromatin. Any two regions agree where they overlap.
 */
export function renderTissue(region: TissueRegion, settings: TissueSettings): Tissue {
  const { x: left, y: top, width, height } = region;
  const { seed } = settings;
  const rgb = new Uint8Array(width * height * 3);
  const mask = new Uint8Array(width * height);
  const firstColumn = Math.floor(left / pitch) - reach;
  const lastColumn = Math.floor((left + width) / pitch) + reach;
  const firstRow = Math.floor(top / pitch) - reach;
  const lastRow = Math.floor((top + height) / pitch) + reach;

  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) paintStroma(rgb, (y * width + x) * 3, left + x, top + y, seed);
  }
  for (let row = firstRow; row <= lastRow; row += 1) {
    for (let column = firstColumn; column <= lastColumn; column += 1) {
      const nucleus = nucleusAt(column, row, settings);
      if (nucleus !== undefined) paintNucleus(rgb, mask, region, nucleus);
    }
  }
  return { rgb, mask };
}

/** 0 in tissue, 1 in a lumen, between at its edge. */
function lumen(x: number, y: number, seed: number): number {
  const value = 0.7 * smoothNoise(seed + 1, x, y, 310) + 0.3 * smoothNoise(seed + 2, x, y, 90);
  return Math.min(1, Math.max(0, (value - 0.69) * 30));
}

function paintStroma(rgb: Uint8Array, at: number, x: number, y: number, seed: number): void {
  const open = lumen(x, y, seed);
  // Fibres run along the contour lines of a slow noise.
  const flow = smoothNoise(seed + 3, x, y, 170) * 60;
  const along = 0.5 + 0.5 * Math.sin(flow + 3 * smoothNoise(seed + 4, x, y, 23));
  const fine = smoothNoise(seed + 5, x, y, 3.1) - 0.5;
  const grain = (hash(seed + 6, x, y, 0) & 15) - 7.5;
  const mix = 0.55 * along + 0.45 * smoothNoise(seed + 7, x, y, 47);
  for (let channel = 0; channel < 3; channel += 1) {
    const tissue = (eosin[channel] ?? 0) + ((fibre[channel] ?? 0) - (eosin[channel] ?? 0)) * mix + fine * 22;
    rgb[at + channel] = clamp(tissue + ((glass[channel] ?? 0) - tissue) * open + grain * 0.5);
  }
}

function nucleusAt(column: number, row: number, { seed, atypical }: TissueSettings): Nucleus | undefined {
  const random = (index: number): number => uniform(seed + 11, column, row, index);
  if (random(0) > 0.78) return undefined;
  const x = (column + 0.25 + 0.5 * random(1)) * pitch;
  const y = (row + 0.25 + 0.5 * random(2)) * pitch;
  if (lumen(x, y, seed) > 0.1) return undefined;
  // Atypical cells come in patches, as a lesion does.
  const inPatch = smoothNoise(seed + 8, x, y, 420) > 0.62;
  const isAtypical = inPatch && random(3) < atypical;
  const angle = random(4) * Math.PI;
  return {
    x,
    y,
    radius: isAtypical ? 9 + 3 * random(5) : 5 + 1.6 * random(5),
    stretch: isAtypical ? 1 + 0.5 * random(6) : 1 + 0.25 * random(6),
    cos: Math.cos(angle),
    sin: Math.sin(angle),
    atypical: isAtypical,
    seed: hash(seed + 12, column, row, 7),
  };
}

function paintNucleus(rgb: Uint8Array, mask: Uint8Array, region: TissueRegion, nucleus: Nucleus): void {
  const span = Math.ceil(nucleus.radius * nucleus.stretch * 1.4) + 1;
  const startX = Math.max(region.x, Math.floor(nucleus.x) - span);
  const endX = Math.min(region.x + region.width, Math.ceil(nucleus.x) + span);
  const startY = Math.max(region.y, Math.floor(nucleus.y) - span);
  const endY = Math.min(region.y + region.height, Math.ceil(nucleus.y) + span);
  for (let y = startY; y < endY; y += 1) {
    for (let x = startX; x < endX; x += 1) {
      const dx = x - nucleus.x;
      const dy = y - nucleus.y;
      const along = (dx * nucleus.cos + dy * nucleus.sin) / nucleus.stretch;
      const across = -dx * nucleus.sin + dy * nucleus.cos;
      const bump = nucleus.atypical ? 1 + 0.35 * (smoothNoise(nucleus.seed, x, y, 6.5) - 0.5) : 1;
      const distance = Math.sqrt(along * along + across * across) / (nucleus.radius * bump);
      if (distance > 1.15) continue;
      const cover = Math.min(1, Math.max(0, (1.08 - distance) * 7));
      const index = (y - region.y) * region.width + (x - region.x);
      const chromatin = nucleus.atypical
        ? 62 * (smoothNoise(nucleus.seed + 1, x, y, 2.7) - 0.5) + 12 * (distance > 0.8 ? -1 : 1)
        : 14 * (smoothNoise(nucleus.seed + 1, x, y, 4) - 0.5);
      for (let channel = 0; channel < 3; channel += 1) {
        const at = index * 3 + channel;
        const before = rgb[at] ?? 0;
        rgb[at] = clamp(before + ((haematoxylin[channel] ?? 0) + chromatin - before) * cover * 0.92);
      }
      if (distance <= 1) mask[index] = nucleus.atypical ? 255 : 0;
    }
  }
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : Math.round(value);
}
