import { nucleiIn } from "./anatomy.ts";
import type { Nucleus } from "./anatomy.ts";
import type { Chromatin } from "./chromatin.ts";
import { hash, uniform } from "./noise.ts";
import type { View } from "./noise.ts";
import { stainOf } from "./stain.ts";
import { anatomyOf, boundsOf, paintTissue, viewOf } from "./tissue.ts";

/** The benchmark's classes: what label 0, 1, 2... holds. Normal tissue has no evidence. */
export const tissueClasses = ["normal", "granular", "banded", "ringed"] as const satisfies readonly [
  "normal",
  ...Exclude<Chromatin, "clumped">[],
];

export interface SampleSettings {
  /** Pixels; default 128 each. */
  readonly width?: number;
  readonly height?: number;
  /** 2 to 4 of `tissueClasses`, default 2. */
  readonly classes?: number;
  /** The fewest and the most evidence nuclei of an image that has any; default [1, 4]. */
  readonly evidence?: readonly [number, number];
  /** Default 0.5; from 0.2 to 0.6 the textures are drawn well. */
  readonly micronsPerPixel?: number;
  /** 0..1, default 1: the share of the cells that are there, of as many as fit. */
  readonly cellDensity?: number;
  /** The label, instead of index modulo classes: the same image otherwise. */
  readonly label?: number;
}

export interface TissueSample {
  /** Interleaved RGB. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly label: number;
  /** 255 on the evidence, else 0; all 0 for label 0. */
  readonly mask: Uint8Array;
  /** How many nuclei are evidence. */
  readonly evidence: number;
}

/** An evidence nucleus lies in the image as a whole. */
const margin = 10;
/** A place with fewer plump nuclei than this to choose from is passed over: a lumen, or bare glass. */
const fewestNuclei = 6;
const attempts = 64;

/**
 * One image of the tissue benchmark. A window somewhere on the slide that `seed` and `index` name; of its plump nuclei, one to
 * four are given the texture of the label. Nothing else depends on the label: with another `label` the same image comes out,
 * other chromatin in the mask.
 *
 * @throws {RangeError} if a setting is out of range, or no place of the tissue has nuclei enough
 */
export function tissueSample({
  seed,
  index,
  ...settings
}: SampleSettings & { readonly seed: number; readonly index: number }): TissueSample {
  const { width = 128, height = 128, classes = 2, evidence = [1, 4] } = settings;
  if (!Number.isInteger(classes) || classes < 2 || classes > tissueClasses.length) {
    throw new RangeError(`The tissue benchmark has 2 to ${tissueClasses.length} classes, got ${classes}.`);
  }
  const [fewest, most] = evidence;
  if (!Number.isInteger(fewest) || !Number.isInteger(most) || fewest < 1 || most < fewest) {
    throw new RangeError(`An image's evidence is 1 or more nuclei, from fewest to most; got [${fewest}, ${most}].`);
  }
  const label = settings.label ?? index % classes;
  const texture = textureOfLabel[label];
  if (texture === undefined) {
    throw new RangeError(`A label of the tissue benchmark is 0 to ${classes - 1}, got ${label}.`);
  }

  const own = hash(seed, index, 0x5a, 0);
  const anatomy = anatomyOf({
    seed: own,
    glass: true,
    ...(settings.cellDensity !== undefined && { cellDensity: settings.cellDensity }),
  });
  const { view, nuclei, eligible } = place(own, (x, y) => {
    const view = viewOf({ x, y, width, height }, settings.micronsPerPixel);
    const nuclei = nucleiIn(boundsOf(view), anatomy);
    return { view, nuclei, eligible: nuclei.filter((nucleus) => isWhollyIn(view, nucleus)) };
  });
  const count = Math.min(eligible.length, fewest + Math.floor(uniform(own, 0xe7, 1, 0) * (most - fewest + 1)));
  const chosen = new Set(eligible.toSorted((a, b) => a.seed - b.seed).slice(0, count));
  const { rgb, mask } = paintTissue(view, {
    anatomy,
    stain: stainOf(own),
    textureOf: (nucleus) => (chosen.has(nucleus) ? texture : "clumped"),
    nuclei,
  });
  return { pixels: rgb, width, height, label, mask, evidence: texture === "clumped" ? 0 : count };
}

const textureOfLabel: readonly Chromatin[] = tissueClasses.map((name) => (name === "normal" ? "clumped" : name));

/** The images 0 to count - 1, one at a time; labels take turns. */
export function* tissueDataset({
  count,
  ...settings
}: SampleSettings & { readonly seed: number; readonly count: number }): Generator<TissueSample, void, undefined> {
  for (let index = 0; index < count; index += 1) yield tissueSample({ ...settings, index });
}

interface Place {
  readonly view: View;
  readonly nuclei: readonly Nucleus[];
  readonly eligible: readonly Nucleus[];
}

function place(seed: number, look: (x: number, y: number) => Place): Place {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = look(hash(seed, attempt, 1, 0) & 0xffff, hash(seed, attempt, 2, 0) & 0xffff);
    if (found.eligible.length >= fewestNuclei) return found;
  }
  throw new RangeError(
    `No place of the tissue has ${fewestNuclei} plump nuclei in one image, in ${attempts} attempts: ask for larger images or a higher cellDensity.`,
  );
}

function isWhollyIn(view: View, { kind, x, y }: Nucleus): boolean {
  const { left, top, right, bottom } = boundsOf(view);
  return kind === "plump" && x >= left + margin && x < right - margin && y >= top + margin && y < bottom - margin;
}
