import type { Sharp, SharpOptions } from "sharp";

/** Decoded interleaved RGB. */
export interface RgbBlock {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

/**
 * Options of every decode: the samples as they are stored (no colour profile is applied, as in what models were trained
 * on), warnings tolerated, missing data not. Sizes are checked by the callers before they decode.
 */
export const decodeOptions: SharpOptions = { ignoreIcc: true, failOn: "error", limitInputPixels: false };

/** Anything libvips reads as interleaved RGB of the given depth: grey repeated, alpha composed over white or dropped. */
export async function decodeRgb(
  image: Sharp,
  options: { readonly samples: "uint8" | "uint16"; readonly alpha: "compose" | "drop" | "none" },
): Promise<RgbBlock> {
  const { samples, alpha } = options;
  const wide = samples === "uint16";
  // sharp's white is 255 * 256 in 16 bits, so that alpha is composed here.
  const composeHere = wide && alpha === "compose";
  let pipeline = image;
  if (alpha === "compose" && !wide) pipeline = pipeline.flatten({ background: "#ffffff" });
  if (alpha === "drop") pipeline = pipeline.removeAlpha();
  const { data, info } = await pipeline
    .toColourspace(wide ? "rgb16" : "srgb")
    .raw({ depth: wide ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  // Parts of a Buffer are Buffers, which take several times as long to make.
  const values = wide ? sixteenBits(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { width: info.width, height: info.height, data: rgbOf(values, { channels: info.channels, composeHere }) };
}

function sixteenBits(data: Buffer): Uint16Array {
  const aligned = data.byteOffset % 2 === 0 ? data : Uint8Array.from(data);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

function rgbOf(
  data: Uint8Array | Uint16Array,
  { channels, composeHere }: { readonly channels: number; readonly composeHere: boolean },
): Uint8Array | Uint16Array {
  if (channels === 3) return data;
  const pixels = data.length / channels;
  const rgb = data instanceof Uint16Array ? new Uint16Array(pixels * 3) : new Uint8Array(pixels * 3);
  const colours = channels >= 3 ? 3 : 1;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const at = pixel * channels;
    const alpha = composeHere && channels > colours ? (data[at + colours] ?? 65_535) / 65_535 : 1;
    for (let colour = 0; colour < 3; colour += 1) {
      const value = data[at + Math.min(colour, colours - 1)] ?? 0;
      rgb[pixel * 3 + colour] = Math.round(value * alpha + 65_535 * (1 - alpha));
    }
  }
  return rgb;
}
