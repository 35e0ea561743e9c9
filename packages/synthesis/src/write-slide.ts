import { open, rm } from "node:fs/promises";
import sharp from "sharp";
import { renderTissue } from "./tissue.ts";
import type { TissueSettings } from "./tissue.ts";

export interface SlideSettings extends TissueSettings {
  readonly width: number;
  readonly height: number;
}

/** Pixels for each millimetre: 0.5 microns a pixel. */
const pixelsPerMillimetre = 2000;
const bandHeight = 256;

/**
 * Writes a pyramidal tiled TIFF of tissue (JPEG, 0.5 microns a pixel) and its mask (one band, 255 on atypical nuclei, tiled,
 * deflate). Memory: one band of rows.
 */
export async function writeTissueSlide(path: string, maskPath: string, settings: SlideSettings): Promise<void> {
  const { width, height } = settings;
  const image = `${path}.v`;
  const mask = `${maskPath}.v`;
  {
    await using imageFile = await open(image, "w");
    await using maskFile = await open(mask, "w");
    await imageFile.write(vipsHeader(width, height, 3));
    await maskFile.write(vipsHeader(width, height, 1));
    for (let y = 0; y < height; y += bandHeight) {
      const band = renderTissue({ x: 0, y, width, height: Math.min(bandHeight, height - y) }, settings);
      await imageFile.write(band.rgb);
      await maskFile.write(band.mask);
    }
  }
  await sharp(image, { limitInputPixels: false })
    .tiff({ ...tiled, compression: "jpeg", quality: 90, pyramid: true })
    .toFile(path);
  await sharp(mask, { limitInputPixels: false })
    .toColourspace("b-w")
    .tiff({ ...tiled, compression: "deflate" })
    .toFile(maskPath);
  await rm(image);
  await rm(mask);
}

/**
 * Writes a large tiled TIFF (JPEG, no pyramid) that repeats one rendered square: quick, for tests of memory and speed.
 */
export async function writeLargeTiff(path: string, settings: SlideSettings): Promise<void> {
  const { width, height } = settings;
  const side = 2048;
  const { rgb } = renderTissue({ x: 0, y: 0, width: side, height: side }, settings);
  const scratch = `${path}.v`;
  {
    await using file = await open(scratch, "w");
    await file.write(vipsHeader(width, height, 3));
    const row = new Uint8Array(width * 3);
    for (let y = 0; y < height; y += 1) {
      const source = rgb.subarray((y % side) * side * 3, ((y % side) + 1) * side * 3);
      for (let x = 0; x < row.length; x += source.length) row.set(source.subarray(0, row.length - x), x);
      await file.write(row);
    }
  }
  await sharp(scratch, { limitInputPixels: false })
    .tiff({ ...tiled, compression: Math.max(width, height) > 65_535 ? "deflate" : "jpeg", quality: 85 })
    .toFile(path);
  await rm(scratch);
}

const tiled = {
  tile: true,
  tileWidth: 256,
  tileHeight: 256,
  bigtiff: true,
  xres: pixelsPerMillimetre,
  yres: pixelsPerMillimetre,
  resolutionUnit: "cm",
} as const;

/** The header of a libvips `.v` file of 8-bit pixels; they follow row by row. */
function vipsHeader(width: number, height: number, bands: 1 | 3): Uint8Array {
  const header = new DataView(new ArrayBuffer(64));
  header.setUint32(0, 0xb6a6f208, false);
  header.setInt32(4, width, true);
  header.setInt32(8, height, true);
  header.setInt32(12, bands, true);
  header.setInt32(16, 8, true);
  header.setInt32(28, bands === 1 ? 1 : 22, true);
  header.setFloat32(32, 1, true);
  header.setFloat32(36, 1, true);
  return new Uint8Array(header.buffer);
}
