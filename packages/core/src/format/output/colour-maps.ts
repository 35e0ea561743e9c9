export type Colour = { readonly red: number; readonly green: number; readonly blue: number };

/** Coefficients of t^0 to t^6 for each channel: Matt Zucker's fit of Matplotlib's perceptually uniform "inferno". */
const inferno = {
  red: [
    0.0002189403691192265, 0.1065134194856116, 11.60249308247187, -41.70399613139459, 77.162935699427,
    -71.31942824499214, 25.13112622477341,
  ],
  green: [
    0.001651004631001012, 0.5639564367884091, -3.972853965665698, 17.43639888205313, -33.40235894210092,
    32.62606426397723, -12.24266895238567,
  ],
  blue: [
    -0.01948089843709184, 3.932712388889277, -15.9423941062914, 44.35414519872813, -81.80730925738993,
    73.20951985803202, -23.07032500287172,
  ],
} as const;

const negative: Colour = { red: 33, green: 102, blue: 172 };
const neutral: Colour = { red: 247, green: 247, blue: 247 };
const positive: Colour = { red: 178, green: 24, blue: 43 };

function toByte(value: number): number {
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}

/** From nothing to the most, t in 0..1: black, violet, orange, yellow. */
export function sequentialColour(t: number): Colour {
  const at = (coefficients: readonly number[]): number =>
    toByte(coefficients.reduceRight((sum, coefficient) => sum * t + coefficient, 0));
  return { red: at(inferno.red), green: at(inferno.green), blue: at(inferno.blue) };
}

/** From against to for, t in -1..1: blue, white, red (the ends of ColorBrewer's RdBu). */
export function divergingColour(t: number): Colour {
  const end = t < 0 ? negative : positive;
  const mix = (from: number, to: number): number => Math.round(from + (to - from) * Math.min(1, Math.abs(t)));
  return { red: mix(neutral.red, end.red), green: mix(neutral.green, end.green), blue: mix(neutral.blue, end.blue) };
}
