import { hash, uniform } from "./noise.ts";

/** How an image was stained and recorded. */
export interface Stain {
  /** Optical density (natural logarithm) of one unit of haematoxylin in red, green and blue. */
  readonly haematoxylin: readonly [number, number, number];
  /** The same of eosin. */
  readonly eosin: readonly [number, number, number];
  /** What an empty pixel records, 0..255. */
  readonly light: readonly [number, number, number];
  /** How wide an outline is, in pixels: the focus. */
  readonly blur: number;
  /** Half the range of the recording's noise, in grey levels. */
  readonly noise: number;
}

/** The reference stain vectors of Macenko et al., "A method for normalizing histology slides for quantitative analysis", 2009. */
const haematoxylin = [0.5626, 0.7201, 0.4062] as const;
const eosin = [0.2159, 0.8012, 0.5581] as const;

/** The stain of one image or slide: concentrations, hues, light, focus and noise vary as between laboratories. */
export function stainOf(seed: number): Stain {
  const random = (index: number): number => uniform(seed, 0x57a1, index, 0);
  const vary = (index: number, amount: number): number => 1 + amount * (2 * random(index) - 1);
  const vector = (base: readonly [number, number, number], at: number): readonly [number, number, number] => {
    const strength = vary(at, 0.2);
    return [
      (base[0] + 0.05 * (random(at + 1) - 0.5)) * strength,
      (base[1] + 0.1 * (random(at + 2) - 0.5)) * strength,
      (base[2] + 0.08 * (random(at + 3) - 0.5)) * strength,
    ];
  };
  const brightness = 240 + 8 * (random(20) - 0.5);
  return {
    haematoxylin: vector(haematoxylin, 1),
    eosin: vector(eosin, 5),
    light: [brightness, brightness - 3 * random(21), brightness + 2 * random(22)],
    blur: 0.7 + 0.8 * random(23),
    noise: 2 + 3 * random(24),
  };
}

const stepsPerUnit = 1024;
const longest = 6;
/** exp(-1 / 1024) to the last digit; multiplied up, since Math.exp may differ from machine to machine. */
const stepTransmission = 0.9990239141819757;
const transmission = new Float32Array(longest * stepsPerUnit);
for (let i = 0, value = 1; i < transmission.length; i += 1, value *= stepTransmission) transmission[i] = value;

/** Records amounts of the two stains, a pixel each, as interleaved RGB (law of Beer and Lambert). */
export function record(
  amounts: { readonly haematoxylin: Float32Array; readonly eosin: Float32Array },
  view: { readonly x: number; readonly y: number; readonly width: number },
  { stain, seed }: { readonly stain: Stain; readonly seed: number },
): Uint8Array {
  const { haematoxylin, eosin } = amounts;
  const count = haematoxylin.length;
  const rgb = new Uint8Array(count * 3);
  // Three bytes of one hash are the noise of the three channels.
  const random = new Uint32Array(count);
  for (let at = 0, x = 0, y = view.y; at < count; at += 1) {
    random[at] = hash(seed, view.x + x, y, 0x6e);
    x += 1;
    if (x === view.width) {
      x = 0;
      y += 1;
    }
  }
  for (let channel = 0; channel < 3; channel += 1) {
    const h = (stain.haematoxylin[channel] ?? 0) * stepsPerUnit;
    const e = (stain.eosin[channel] ?? 0) * stepsPerUnit;
    const light = stain.light[channel] ?? 0;
    const shift = 8 * channel;
    for (let at = 0; at < count; at += 1) {
      const step = Math.min(
        transmission.length - 1,
        Math.floor((haematoxylin[at] ?? 0) * h + (eosin[at] ?? 0) * e + 0.5),
      );
      const noise = ((((random[at] ?? 0) >>> shift) & 255) / 127.5 - 1) * stain.noise;
      const value = Math.floor(light * (transmission[step] ?? 0) + noise + 0.5);
      rgb[at * 3 + channel] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
  return rgb;
}
