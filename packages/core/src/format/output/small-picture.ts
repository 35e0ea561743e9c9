import type { Sharp } from "sharp";
import type { Size } from "../../geometry/rectangle.ts";
import type { Pixels } from "../image.ts";
import { loadSharp } from "../sharp.ts";
import { divergingColour, sequentialColour } from "./colour-maps.ts";

/** The longest side of a picture, in pixels; smaller images stay as they are. */
const longestSide = 256;
/** Share of a map's pixels that may lie beyond the end of its colours. */
const beyond = 0.002;

/** An image as a small JPEG. */
export async function picturePixels(pixels: Pixels): Promise<Buffer> {
  const data = pixels.samples === "uint8" ? pixels.data : Uint8Array.from(pixels.data, (value) => value >> 8);
  return (await small(data, pixels)).jpeg({ quality: 88, chromaSubsampling: "4:4:4" }).toBuffer();
}

/** White where the mask is not 0, black elsewhere; as a small PNG. */
export async function pictureMask(mask: Uint8Array, size: Size): Promise<Buffer> {
  const data = new Uint8Array(mask.length * 3);
  for (const [index, value] of mask.entries()) if (value !== 0) data.fill(255, 3 * index, 3 * index + 3);
  return (await small(data, size)).png({ palette: true }).toBuffer();
}

/** A map in the colours of previews, on a scale of its own: white at 0 where it has signs; as a small PNG. */
export async function pictureMap(map: Float32Array, size: Size): Promise<Buffer> {
  const low = map.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const signed = low < 0;
  const heights = signed ? map.map((value) => Math.abs(value)) : map;
  const high = heights.toSorted()[Math.min(map.length - 1, Math.ceil((1 - beyond) * map.length))] ?? 0;
  const floor = signed ? 0 : low;
  const colourOf = signed ? divergingColour : sequentialColour;
  const data = new Uint8Array(map.length * 3);
  for (const [index, value] of map.entries()) {
    const t = high > floor ? (value - floor) / (high - floor) : 0;
    const { red, green, blue } = colourOf(Math.min(1, Math.max(signed ? -1 : 0, t)));
    data.set([red, green, blue], 3 * index);
  }
  return (await small(data, size)).png().toBuffer();
}

async function small(data: Uint8Array, { width, height }: Size): Promise<Sharp> {
  const sharp = await loadSharp();
  return sharp(data, { raw: { width, height, channels: 3 } }).resize(longestSide, longestSide, {
    fit: "inside",
    withoutEnlargement: true,
  });
}
