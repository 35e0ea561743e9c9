import { smoothNoiseOf, uniform, wave } from "./noise.ts";

/** How chromatin is arranged in a nucleus. Ordinary nuclei are clumped; each other texture is one class's evidence. */
interface Textures {
  readonly clumped: unknown;
  readonly granular: unknown;
  readonly banded: unknown;
  readonly ringed: unknown;
}
export type Chromatin = keyof Textures;

/** Of a place in units from the nucleus's centre, along and across a direction that is the nucleus's own. */
type Pattern = (along: number, across: number) => number;

/** Any increasing function of a pattern gives the same chromatin: only the values' order within a nucleus is used. */
const patterns: { readonly [C in Chromatin]: (seed: number) => Pattern } = {
  clumped: (seed) => grain(seed, 3.6 + 1.2 * uniform(seed, 0, 0, 9)),
  granular: (seed) => grain(seed, 1.8),
  banded: (seed) => {
    const ragged = grain(seed, 3);
    return (along, across) => wave(along / 3.6 + (seed & 255) / 256) + 0.25 * ragged(along, across);
  },
  ringed: (seed) => {
    const ragged = grain(seed, 3);
    return (along, across) =>
      wave(Math.sqrt(along * along + across * across) / 3.6 + (seed & 255) / 256) + 0.25 * ragged(along, across);
  },
};

/** Noise without a lattice's directions: two lattices, turned against each other, neither with a corner at the centre. */
function grain(seed: number, period: number): Pattern {
  const shift = period * uniform(seed, 0, 0, 8);
  const first = smoothNoiseOf(seed, period);
  const second = smoothNoiseOf(seed + 1, period);
  return (along, across) =>
    first(along + shift, across + 0.37 * shift) +
    second(0.8 * along - 0.6 * across + shift, 0.6 * along + 0.8 * across);
}

/** Places of one nucleus. Those of the same stratum (its rim, its inside) are ranked among themselves. */
export interface ChromatinPlaces {
  readonly along: Float64Array;
  readonly across: Float64Array;
  readonly stratum: Uint8Array;
}

/**
 * Chromatin at places of one nucleus, -1..1: the texture's values replaced by their ranks, spread evenly. So the values of
 * every nucleus are the same set, whatever its texture: no mean, variance or histogram tells one texture from another,
 * only how the values lie. That holds in the rim, where the background shows through, and inside, each by itself.
 */
export function chromatinAt(texture: Chromatin, places: ChromatinPlaces, seed: number): Float64Array {
  const { along, across, stratum } = places;
  const pattern = patterns[texture](seed);
  // Stratum, value and place in one number, so that the quick sort of plain numbers serves and ties keep the order of places.
  const keys = new Float64Array(along.length);
  const sizes = [0, 0];
  for (let i = 0; i < keys.length; i += 1) {
    const value = pattern(along[i] ?? 0, across[i] ?? 0);
    const inside = stratum[i] ?? 0;
    keys[i] = (inside * largestValue + Math.floor(value * valueSteps)) * mostPlaces + i;
    sizes[inside] = (sizes[inside] ?? 0) + 1;
  }
  keys.sort();
  const [inRim = 0, inside = 0] = sizes;
  const values = new Float64Array(keys.length);
  for (let rank = 0; rank < keys.length; rank += 1) {
    const value = rank < inRim ? (2 * rank + 1) / inRim : (2 * (rank - inRim) + 1) / inside;
    values[(keys[rank] ?? 0) % mostPlaces] = value - 1;
  }
  return values;
}

/** A nucleus of 14 units' reach has fewer pixels than this down to 0.06 microns a pixel. */
const mostPlaces = 65536;
const valueSteps = 2 ** 24;
/** Above every pattern's value, in steps. */
const largestValue = 4 * valueSteps;
