import { direction, hash, smoothNoise, smoothNoiseOf, smoothStep, uniform } from "./noise.ts";
import { scatter } from "./scatter.ts";
import type { Bounds, ScatteredPoint } from "./scatter.ts";

/** A gland: an irregular ellipse of epithelium around a lumen. Lengths in units of the plane. */
export interface Gland {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Long axis over short axis, and the long axis's direction. */
  readonly stretch: number;
  readonly axis: { readonly x: number; readonly y: number };
  /** The lumen's radius as a share of the gland's; 0 for a solid nest. */
  readonly lumen: number;
  readonly seed: number;
}

interface NucleusKinds {
  readonly plump: unknown;
  readonly spindle: unknown;
  readonly lymphocyte: unknown;
}
export type NucleusKind = keyof NucleusKinds;

export interface Nucleus {
  readonly x: number;
  readonly y: number;
  readonly kind: NucleusKind;
  readonly radius: number;
  readonly stretch: number;
  readonly axis: { readonly x: number; readonly y: number };
  /** Units of haematoxylin. */
  readonly density: number;
  readonly seed: number;
}

interface NucleusForm {
  readonly radius: number;
  readonly radiusRange: number;
  readonly stretch: number;
  readonly stretchRange: number;
  readonly density: number;
}

/** Only plump nuclei are large enough to show how their chromatin lies; the others are there to be ignored. */
const forms: { readonly [K in NucleusKind]: NucleusForm } = {
  plump: { radius: 5.4, radiusRange: 1.6, stretch: 1, stretchRange: 0.4, density: 1.45 },
  spindle: { radius: 2.3, radiusRange: 0.7, stretch: 2.6, stretchRange: 1.4, density: 1.4 },
  lymphocyte: { radius: 3.3, radiusRange: 0.7, stretch: 1, stretchRange: 0.15, density: 1.8 },
};

/** No gland and no nucleus reaches further from its centre. */
const glandReach = 75;
export const nucleusReach = 14;

const glandsApart = 84;
const nucleiApart = 11.5;
const plumpInStroma = 0.15;

export interface AnatomySettings {
  readonly seed: number;
  /** 0..1: the share of the cells that are there, of as many as fit. */
  readonly cellDensity: number;
  /** Whether the tissue ends somewhere and bare glass begins. */
  readonly glass: boolean;
}

/** Every gland that reaches into the bounds. */
export function glandsIn(bounds: Bounds, { seed }: AnatomySettings): readonly Gland[] {
  const accept = (_x: number, _y: number, { a, b }: ScatteredPoint): boolean => uniform(seed + 20, a, b, 0) < 0.8;
  return scatter(widened(bounds, glandReach), { seed: seed + 21, apart: glandsApart, accept }).map(({ x, y, a, b }) => {
    const random = (index: number): number => uniform(seed + 22, a, b, index);
    return {
      x,
      y,
      radius: 26 + 18 * random(0),
      stretch: 1 + 0.35 * random(1),
      axis: direction(seed + 23, a, b),
      lumen: random(2) < 0.25 ? 0 : 0.25 + 0.25 * random(3),
      seed: hash(seed + 24, a, b, 0),
    };
  });
}

/** How far a place is from a gland's middle: 1 on its outline. */
export function glandDistanceOf(gland: Gland): (x: number, y: number) => number {
  const outline = smoothNoiseOf(gland.seed, 24);
  const area = gland.radius * gland.radius;
  return (x, y) => {
    const dx = x - gland.x;
    const dy = y - gland.y;
    const along = (dx * gland.axis.x + dy * gland.axis.y) / gland.stretch;
    const across = dy * gland.axis.x - dx * gland.axis.y;
    const square = along * along + across * across;
    // Beyond every bump of the outline: no need of the root, nor of the noise.
    if (square > 1.96 * area) return square / area;
    return (Math.sqrt(square) / gland.radius) * (1 + 0.45 * (outline(x, y) - 0.5));
  };
}

/** 1 in tissue, 0 on bare glass, between at its edge; `coarse` and `fine` are smooth noises of periods 1500 and 260. */
export function tissueShare(coarse: number, fine: number): number {
  return smoothStep((0.72 * coarse + 0.28 * fine - 0.34) * 140);
}

/** Every nucleus that reaches into the bounds, in the order in which they are painted. */
export function nucleiIn(bounds: Bounds, settings: AnatomySettings): readonly Nucleus[] {
  const { seed, cellDensity } = settings;
  // A candidate beyond the bounds competes too, and its gland must be known.
  const glands = glandsIn(widened(bounds, nucleusReach + 2 * nucleiApart), settings).map((gland) => ({
    gland,
    distanceAt: glandDistanceOf(gland),
  }));
  const accept = (x: number, y: number, { a, b }: ScatteredPoint): boolean => {
    if (uniform(seed + 30, a, b, 0) >= cellDensity * shareOfCells(nearest(glands, x, y), a, b, seed)) return false;
    if (!settings.glass) return true;
    return tissueShare(smoothNoise(seed + 9, x, y, 1500), smoothNoise(seed + 10, x, y, 260)) > 0.95;
  };
  return scatter(widened(bounds, nucleusReach), { seed: seed + 31, apart: nucleiApart, accept }).map((point) =>
    nucleusAt(point, nearest(glands, point.x, point.y), seed),
  );
}

interface Nearest {
  readonly gland: Gland | undefined;
  readonly distance: number;
}

interface MeasuredGland {
  readonly gland: Gland;
  readonly distanceAt: (x: number, y: number) => number;
}

function nearest(glands: readonly MeasuredGland[], x: number, y: number): Nearest {
  let gland: Gland | undefined;
  let distance = Number.POSITIVE_INFINITY;
  for (const candidate of glands) {
    const there = candidate.distanceAt(x, y);
    if (there < distance) [gland, distance] = [candidate.gland, there];
  }
  return { gland, distance };
}

/** None in a lumen, many along the outer rim of the epithelium, few in the stroma. */
function shareOfCells({ gland, distance }: Nearest, a: number, b: number, seed: number): number {
  if (gland === undefined || distance > 1.05) return 0.34;
  const inner = gland.lumen === 0 ? 0 : gland.lumen + 0.2;
  if (distance < inner) return uniform(seed + 32, a, b, 0) < 0.04 && distance > gland.lumen ? 1 : 0;
  return distance < 0.9 ? 0.9 : 0;
}

function nucleusAt({ x, y, a, b }: ScatteredPoint, { gland, distance }: Nearest, seed: number): Nucleus {
  const random = (index: number): number => uniform(seed + 33, a, b, index);
  const epithelial = gland !== undefined && distance <= 1.05;
  const kind = epithelial || random(0) < plumpInStroma ? "plump" : random(0) < 0.75 ? "spindle" : "lymphocyte";
  const form = forms[kind];
  return {
    x,
    y,
    kind,
    radius: form.radius + form.radiusRange * random(1),
    stretch: form.stretch + form.stretchRange * random(2),
    axis: epithelial ? outward(gland, x, y) : kind === "spindle" ? along(seed, x, y) : direction(seed + 34, a, b),
    density: form.density * (0.85 + 0.3 * random(3)),
    seed: hash(seed + 35, a, b, 0),
  };
}

/** Epithelial nuclei point to the lumen. */
function outward(gland: Gland, x: number, y: number): { readonly x: number; readonly y: number } {
  const dx = x - gland.x;
  const dy = y - gland.y;
  const length = Math.sqrt(dx * dx + dy * dy);
  return length < 1 ? gland.axis : { x: dx / length, y: dy / length };
}

/** Fibroblasts lie along the fibres, which follow the contour lines of a slow noise. */
function along(seed: number, x: number, y: number): { readonly x: number; readonly y: number } {
  const here = fibreFlow(seed, x, y);
  const dx = fibreFlow(seed, x + 2, y) - here;
  const dy = fibreFlow(seed, x, y + 2) - here;
  const length = Math.sqrt(dx * dx + dy * dy);
  return length < 1e-9 ? { x: 1, y: 0 } : { x: -dy / length, y: dx / length };
}

export const flowPeriod = 190;
function fibreFlow(seed: number, x: number, y: number): number {
  return smoothNoise(seed + 3, x, y, flowPeriod);
}

export function widened({ left, top, right, bottom }: Bounds, by: number): Bounds {
  return { left: left - by, top: top - by, right: right + by, bottom: bottom + by };
}
