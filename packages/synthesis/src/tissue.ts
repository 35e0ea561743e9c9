import { flowPeriod, glandDistanceOf, glandsIn, nucleiIn, tissueShare } from "./anatomy.ts";
import type { AnatomySettings, Gland, Nucleus } from "./anatomy.ts";
import { chromatinAt } from "./chromatin.ts";
import type { Chromatin } from "./chromatin.ts";
import { noiseField, smoothNoise, smoothNoiseOf, smoothStep, uniform, wave } from "./noise.ts";
import type { View } from "./noise.ts";
import type { Bounds } from "./scatter.ts";
import { record, stainOf } from "./stain.ts";
import type { Stain } from "./stain.ts";

export interface TissueRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface TissueSettings {
  /** Everything follows from it and the position. */
  readonly seed: number;
  /** Share of the plump nuclei that are evidence, in the patches (lesions) where evidence occurs at all; 0 for normal tissue. */
  readonly atypical: number;
  /** What the evidence looks like; default "granular". */
  readonly texture?: Chromatin;
  /** Default 0.5; from 0.2 to 0.6 the textures are drawn well. */
  readonly micronsPerPixel?: number;
  /** 0..1, default 1: the share of the cells that are there. */
  readonly cellDensity?: number;
  /** Whether the tissue ends somewhere and bare glass begins; default false. */
  readonly glass?: boolean;
}

export interface Tissue {
  /** Interleaved RGB. */
  readonly rgb: Uint8Array;
  /** 255 where an evidence nucleus is, else 0. */
  readonly mask: Uint8Array;
}

/** A unit of the plane, in microns. */
const micronsPerUnit = 0.5;

/**
 * Renders a region of an endless tissue: glands of epithelium around lumina, stroma of fibres, and nuclei, of which some
 * are evidence. An evidence nucleus differs from an ordinary one only in how its chromatin lies (see chromatin.ts). Any two
 * regions agree where they overlap.
 *
 * @throws {RangeError} if a setting is out of range
 */
export function renderTissue(region: TissueRegion, settings: TissueSettings): Tissue {
  const { seed, atypical, texture = "granular" } = settings;
  const inLesion = ({ x, y, kind, seed: own }: Nucleus): boolean =>
    kind === "plump" && smoothNoise(seed + 8, x, y, 420) > 0.62 && uniform(seed + 12, own, 0, 0) < atypical;
  const view = viewOf(region, settings.micronsPerPixel);
  return paintTissue(view, {
    anatomy: anatomyOf(settings),
    stain: stainOf(seed),
    textureOf: (nucleus) => (inLesion(nucleus) ? texture : "clumped"),
  });
}

/** A region as a view of the plane. */
export function viewOf({ x, y, width, height }: TissueRegion, micronsPerPixel = micronsPerUnit): View {
  if (!(micronsPerPixel > 0)) {
    throw new RangeError(`Tissue needs a positive micronsPerPixel, got ${micronsPerPixel}; 0.2 to 0.6 look right.`);
  }
  return { x, y, width, height, step: micronsPerPixel / micronsPerUnit };
}

/** The settings of anatomy among those of tissue, defaults filled in. */
export function anatomyOf({
  seed,
  cellDensity = 1,
  glass = false,
}: Pick<TissueSettings, "seed" | "cellDensity" | "glass">): AnatomySettings {
  if (!(cellDensity >= 0 && cellDensity <= 1)) {
    throw new RangeError(`Tissue needs a cellDensity from 0 to 1, got ${cellDensity}.`);
  }
  return { seed, cellDensity, glass };
}

/** Units of the plane that a view shows. */
export function boundsOf({ x, y, width, height, step }: View): Bounds {
  return { left: x * step, top: y * step, right: (x + width) * step, bottom: (y + height) * step };
}

export interface Painting {
  readonly anatomy: AnatomySettings;
  readonly stain: Stain;
  /** Chromatin of each nucleus; every nucleus that is not "clumped" is evidence and goes into the mask. */
  readonly textureOf: (nucleus: Nucleus) => Chromatin;
  /** The nuclei that reach into the view, if they are known already. */
  readonly nuclei?: readonly Nucleus[];
}

/** Paints a view: stroma, glands, nuclei, glass, then the recording. */
export function paintTissue(view: View, painting: Painting): Tissue {
  const { anatomy, stain, textureOf, nuclei = nucleiIn(boundsOf(view), anatomy) } = painting;
  const canvas = stroma(view, anatomy);
  paintGlands(canvas, view, { glands: glandsIn(boundsOf(view), anatomy), seed: anatomy.seed });
  if (anatomy.glass) bareGlass(canvas, view, anatomy.seed);
  const mask = new Uint8Array(view.width * view.height);
  for (const nucleus of nuclei)
    paintNucleus({ ...canvas, mask }, view, nucleus, { stain, texture: textureOf(nucleus) });
  return { rgb: record(canvas, view, { stain, seed: anatomy.seed + 6 }), mask };
}

/** Units of each stain at every pixel. */
interface Canvas {
  readonly haematoxylin: Float32Array;
  readonly eosin: Float32Array;
}

function stroma(view: View, { seed }: AnatomySettings): Canvas {
  const flow = noiseField(seed + 3, view, flowPeriod);
  const ripple = noiseField(seed + 4, view, 21);
  const patch = noiseField(seed + 7, view, 47);
  const fine = noiseField(seed + 5, view, 3.1);
  const eosin = new Float32Array(flow.length);
  const haematoxylin = new Float32Array(flow.length);
  for (let i = 0; i < flow.length; i += 1) {
    const turn = (flow[i] ?? 0) * 18 + (ripple[i] ?? 0) * 1.6;
    const bundle = wave(turn);
    const fibre = wave(turn * 3.7 + (fine[i] ?? 0) * 0.7);
    const gap = smoothStep(((patch[i] ?? 0) - 0.6) * 4) * smoothStep((0.5 - bundle) * 4);
    eosin[i] =
      (0.22 + 0.22 * bundle * (0.4 + (patch[i] ?? 0)) + 0.12 * fibre + 0.14 * (fine[i] ?? 0)) * (1 - 0.85 * gap);
    haematoxylin[i] = (0.05 + 0.05 * (ripple[i] ?? 0)) * (1 - gap);
  }
  return { eosin, haematoxylin };
}

function paintGlands(
  { haematoxylin, eosin }: Canvas,
  view: View,
  { glands, seed }: { readonly glands: readonly Gland[]; readonly seed: number },
): void {
  const cytoplasm = noiseField(seed + 13, view, 9);
  for (const gland of glands) {
    const reach = (gland.radius * gland.stretch * 1.4) / view.step;
    const startX = Math.max(0, Math.floor(gland.x / view.step - reach) - view.x);
    const endX = Math.min(view.width, Math.ceil(gland.x / view.step + reach) - view.x);
    const startY = Math.max(0, Math.floor(gland.y / view.step - reach) - view.y);
    const endY = Math.min(view.height, Math.ceil(gland.y / view.step + reach) - view.y);
    const distanceAt = glandDistanceOf(gland);
    for (let y = startY; y < endY; y += 1) {
      for (let x = startX; x < endX; x += 1) {
        const distance = distanceAt((view.x + x) * view.step, (view.y + y) * view.step);
        if (distance > 1.1) continue;
        const i = y * view.width + x;
        const grain = cytoplasm[i] ?? 0;
        const inside = smoothStep((1.03 - distance) * 18);
        const open = gland.lumen === 0 ? 0 : smoothStep((gland.lumen - distance) * 12 + 0.5);
        blend(haematoxylin, i, (0.2 + 0.14 * grain) * (1 - open) + 0.01 * open, inside);
        blend(eosin, i, (0.28 + 0.16 * grain) * (1 - open) + (0.03 + 0.03 * grain) * open, inside);
      }
    }
  }
}

function bareGlass({ haematoxylin, eosin }: Canvas, view: View, seed: number): void {
  const coarse = noiseField(seed + 9, view, 1500);
  const fine = noiseField(seed + 10, view, 260);
  for (let i = 0; i < coarse.length; i += 1) {
    const share = tissueShare(coarse[i] ?? 0, fine[i] ?? 0);
    haematoxylin[i] = (haematoxylin[i] ?? 0) * share;
    eosin[i] = (eosin[i] ?? 0) * share;
  }
}

/** Half the range of haematoxylin within a nucleus, as a share of its mean. */
const contrast = 0.6;

function paintNucleus(
  { haematoxylin, eosin, mask }: Canvas & { readonly mask: Uint8Array },
  view: View,
  nucleus: Nucleus,
  { stain, texture }: { readonly stain: Stain; readonly texture: Chromatin },
): void {
  const { step } = view;
  const span = nucleus.radius * nucleus.stretch * 1.12 + stain.blur * step;
  const furthest = nucleus.radius * 1.1 + stain.blur * step;
  const [startX, endX] = [Math.floor((nucleus.x - span) / step), Math.ceil((nucleus.x + span) / step)];
  const [startY, endY] = [Math.floor((nucleus.y - span) / step), Math.ceil((nucleus.y + span) / step)];
  if (endX < view.x || startX >= view.x + view.width || endY < view.y || startY >= view.y + view.height) return;
  // The whole nucleus, also what lies beyond the view: its chromatin is ranked over all of it.
  const most = (endX - startX + 1) * (endY - startY + 1);
  const along = new Float64Array(most);
  const across = new Float64Array(most);
  const cover = new Float64Array(most);
  const stratum = new Uint8Array(most);
  const pixel = new Int32Array(most);
  const outline = smoothNoiseOf(nucleus.seed + 2, 6);
  let count = 0;
  for (let y = startY; y <= endY; y += 1) {
    for (let x = startX; x <= endX; x += 1) {
      const dx = x * step - nucleus.x;
      const dy = y * step - nucleus.y;
      const u = dx * nucleus.axis.x + dy * nucleus.axis.y;
      const v = dy * nucleus.axis.x - dx * nucleus.axis.y;
      const square = (u / nucleus.stretch) * (u / nucleus.stretch) + v * v;
      if (square > furthest * furthest) continue;
      const bump = 1 + 0.2 * (outline(x * step, y * step) - 0.5);
      const depth = (nucleus.radius * bump - Math.sqrt(square)) / step;
      if (depth <= -stain.blur / 2) continue;
      along[count] = u;
      across[count] = v;
      cover[count] = smoothStep(depth / stain.blur + 0.5);
      stratum[count] = (cover[count] ?? 0) < 1 ? 0 : 1;
      const inside = x >= view.x && x < view.x + view.width && y >= view.y && y < view.y + view.height;
      pixel[count] = inside ? (y - view.y) * view.width + (x - view.x) : -1;
      count += 1;
    }
  }
  const places = {
    along: along.subarray(0, count),
    across: across.subarray(0, count),
    stratum: stratum.subarray(0, count),
  };
  const chromatin = chromatinAt(texture, places, nucleus.seed);
  for (let i = 0; i < count; i += 1) {
    const at = pixel[i] ?? -1;
    if (at < 0) continue;
    const share = cover[i] ?? 0;
    blend(haematoxylin, at, nucleus.density * (1 + contrast * (chromatin[i] ?? 0)), share);
    blend(eosin, at, 0.3, share);
    if (share >= 0.5) mask[at] = texture === "clumped" ? 0 : 255;
  }
}

function blend(target: Float32Array, at: number, value: number, share: number): void {
  const before = target[at] ?? 0;
  target[at] = before + (value - before) * share;
}
