import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { defaultUNet, openSource, unetGraph, unetParameters } from "../packages/core/dist/index.js";

/** A U-Net, by default with transposed convolutions; two classes, mean pool. Its weights are random: what they are costs nothing. */
export function networkOf(baseChannels, { depth = 4, upsampling = "transposed" } = {}) {
  const settings = { ...defaultUNet, depth, baseChannels, upsampling, classes: 2, pool: { kind: "mean" } };
  const parameters = withBiases(unetParameters(settings));
  const model = {
    sha256: createHash("sha256").update(JSON.stringify(settings)).digest("hex"),
    description: "benchmark U-Net, untrained",
    instantiate: (size) => unetGraph(settings, parameters, size),
  };
  return { settings, parameters, model };
}

/** Biases that are not zero, and differ, as trained ones are and do: zeros are left out by engines, and equal ones shared. */
function withBiases(parameters) {
  let count = 0;
  const values = (length) => Float32Array.from({ length }, () => 0.02 * Math.sin((count += 1)));
  return Object.fromEntries(
    Object.entries(parameters).map(([name, tensor]) => [
      name,
      name.endsWith(".bias") ? { ...tensor, data: values(tensor.data.length) } : tensor,
    ]),
  );
}

/** The network of all benchmarks that don't say otherwise. */
export const { settings, parameters, model } = networkOf(16);

const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "slidelight", "bench");
const slides = fileURLToPath(new URL("../../shared/data/slides/", import.meta.url));

function imageOf(path, size) {
  return { name: basename(path), path, key: basename(path), uri: path, open: () => openSource(path), ...size };
}

/** A region of a real slide, where it is there: set SLIDELIGHT_BENCH_SLIDE to another one. */
export async function realSlide() {
  const path = process.env["SLIDELIGHT_BENCH_SLIDE"] ?? join(slides, "cmu-1-small-region.svs");
  if (!existsSync(path)) return undefined;
  const { width, height } = await sharp(path).metadata();
  return imageOf(path, { width, height });
}

/** A tiled JPEG TIFF, as scanners write them: stained tissue with cells; square if only its width is given. Made once. */
export async function generatedSlide(width, height = width) {
  const path = join(cache, `tissue-${width === height ? width : `${width}x${height}`}.tif`);
  if (!existsSync(path)) {
    await mkdir(cache, { recursive: true });
    await sharp(tissue(width, height), { raw: { width, height, channels: 3 }, limitInputPixels: false })
      .tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: "jpeg", quality: 85 })
      .toFile(`${path}.part`);
    await rename(`${path}.part`, path);
  }
  return imageOf(path, { width, height });
}

/** Slides around side x side, no two of one size: as many as asked for, with as many pixels each, to a few per cent. */
export async function mixedSlides(side, count) {
  const made = [];
  for (let slide = 0; slide < count; slide += 1) {
    const stretch = 1 + (0.4 * (slide + 0.5)) / count - 0.2;
    made.push(await generatedSlide(Math.round(side * stretch), Math.round(side / stretch)));
  }
  return made;
}

/** A tiled TIFF of one colour: reading it costs next to nothing. Made once. */
export async function blankSlide({ width, height }) {
  const path = join(cache, `blank-${width}x${height}.tif`);
  if (!existsSync(path)) {
    await mkdir(cache, { recursive: true });
    await sharp({ create: { width, height, channels: 3, background: { r: 225, g: 165, b: 205 } } })
      .tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: "jpeg" })
      .toFile(`${path}.part`);
    await rename(`${path}.part`, path);
  }
  return imageOf(path, { width, height });
}

/** RGB: a pink ground that waves, dark round nuclei on a jittered grid, noise. */
function tissue(width, height) {
  const data = new Uint8Array(width * height * 3);
  const spacing = 24;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 3) {
      const cell = Math.imul(Math.floor(x / spacing) + 1, 73856093) ^ Math.imul(Math.floor(y / spacing) + 1, 19349663);
      const dx = (x % spacing) - 8 - ((cell >>> 4) & 7);
      const dy = (y % spacing) - 8 - ((cell >>> 9) & 7);
      const radius = 4 + ((cell >>> 13) & 3);
      const noise = (Math.imul(at + 1, 2654435761) >>> 27) - 16;
      const wave = 18 * Math.sin(x / 190) * Math.cos(y / 230);
      const nucleus = dx * dx + dy * dy < radius * radius;
      data[at] = (nucleus ? 110 : 225) + noise + wave;
      data[at + 1] = (nucleus ? 70 : 165) + noise + wave;
      data[at + 2] = (nucleus ? 150 : 205) + noise;
    }
  }
  return data;
}
