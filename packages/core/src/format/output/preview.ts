import sharp from "sharp";
import type { Size } from "../../geometry/rectangle.ts";
import { allOrFirstFailure } from "../../io/all-or-first-failure.ts";
import type { Scale } from "./assemble-map.ts";
import { divergingColour, sequentialColour } from "./colour-maps.ts";
import type { Colour } from "./colour-maps.ts";
import { cell, drawable, textPath } from "./glyphs.ts";
import type { Thumbnail } from "./thumbnail.ts";

export interface WritePreview {
  readonly kind: "preview";
  readonly thumbnail: Thumbnail;
  readonly mapPath: string;
  readonly mapSize: Size;
  readonly scale: Scale;
  /** Lines above the pictures: what was explained, of which image. */
  readonly lines: readonly string[];
  readonly path: string;
}

/** The longest side of the whole picture, in pixels. */
const longestSide = 2048;
const margin = 16;
const barWidth = 18;
/** Of the colour bar and its numbers, beside the flattest image. */
const fewestLegendPixels = 96;
const fontSize = 2;
const ink = "#222222";
/** Room for a number of nine characters beside the bar. */
const barRoom = margin + barWidth + 8 + 9 * cell.width * fontSize;

/** Writes `preview.jpg`: the image beside its overlay, with a colour bar. Loops over pixels: runs in a worker thread. */
export async function writePreview(request: WritePreview): Promise<void> {
  const { thumbnail, mapSize, scale } = request;
  const lines = request.lines.map(drawable);
  const header = margin + lines.length * (cell.height + 3) * fontSize;
  const room = {
    width: (longestSide - 3 * margin - barRoom) / 2,
    height: longestSide - header - 2 * margin,
  };
  const ratio = Math.min(room.width / mapSize.width, room.height / mapSize.height, largestZoom(mapSize));
  const panel = {
    width: Math.max(1, Math.round(mapSize.width * ratio)),
    height: Math.max(1, Math.round(mapSize.height * ratio)),
  };
  const kernel = ratio > 1 ? "nearest" : "lanczos3";
  const raw = { width: thumbnail.width, height: thumbnail.height, channels: 3 } as const;
  const textWidth = 2 * margin + Math.max(...lines.map((line) => line.length), 0) * cell.width * fontSize;
  const width = Math.min(longestSide, Math.max(3 * margin + 2 * panel.width + barRoom, textWidth));
  const legendHeight = Math.max(panel.height, fewestLegendPixels);
  const height = header + legendHeight + 2 * margin;
  const top = header + margin;
  const [image, map, caption] = await allOrFirstFailure([
    sharp(thumbnail.data, { raw }).resize(panel.width, panel.height, { fit: "fill", kernel }).raw().toBuffer(),
    readMap(request, panel, ratio),
    drawn(captionOf(lines, width), { width, height: top }),
  ]);
  const shown = shownRange(map, scale);
  const beside = 2 * margin + 2 * panel.width;
  const [legend, overlay] = await allOrFirstFailure([
    // On another thread, while this one lays the map over the image.
    drawn(legendOf(shown, legendHeight), { width: width - beside, height: height - top }),
    Promise.resolve().then(() => overlayOf(image, map, colourTable(scale, shown))),
  ]);
  const canvas: Picture = { width, height, data: Buffer.alloc(width * height * 3, 255) };
  paste(canvas, caption, { x: 0, y: 0 });
  paste(canvas, { ...panel, data: image }, { x: margin, y: top });
  paste(canvas, { ...panel, data: overlay }, { x: 2 * margin + panel.width, y: top });
  paste(canvas, legend, { x: beside, y: top });
  await sharp(canvas.data, { raw: { width, height, channels: 3 } })
    // Optimised codes would save a twentieth of the bytes, and take three times as long as all the rest of the encoding.
    .jpeg({ quality: 90, chromaSubsampling: "4:4:4", optimiseCoding: false })
    .toFile(request.path);
}

/** RGB, row by row. */
interface Picture extends Size {
  readonly data: Uint8Array;
}

/** Copies a picture into another. libvips would compose them as floats, which takes as long as all the rest. */
function paste(
  onto: Picture,
  { width, height, data }: Picture,
  { x, y }: { readonly x: number; readonly y: number },
): void {
  for (let row = 0; row < height; row += 1) {
    onto.data.set(data.subarray(row * width * 3, (row + 1) * width * 3), ((y + row) * onto.width + x) * 3);
  }
}

/** A drawing in SVG, on white. */
async function drawn(drawing: string, { width, height }: Size): Promise<Picture> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${drawing}</svg>`;
  const data = await sharp(Buffer.from(svg)).flatten({ background: "#ffffff" }).raw().toBuffer();
  return { width, height, data };
}

/** A tiny image is shown enlarged, its pixels as squares, so that there is something to see. */
function largestZoom(size: Size): number {
  return Math.max(1, Math.floor(400 / Math.max(size.width, size.height)));
}

/** The map's bytes at the panel's size, from the pyramid's level that is just larger. */
async function readMap({ mapPath, mapSize }: WritePreview, panel: Size, ratio: number): Promise<Uint8Array> {
  const { pages = 1 } = await sharp(mapPath, { limitInputPixels: false }).metadata();
  let page = 0;
  while (
    page + 1 < pages &&
    Math.max(mapSize.width, mapSize.height) / 2 ** (page + 1) >= Math.max(panel.width, panel.height)
  ) {
    page += 1;
  }
  return sharp(mapPath, { page, limitInputPixels: false })
    .resize(panel.width, panel.height, { fit: "fill", kernel: ratio > 1 ? "nearest" : "linear" })
    .toColourspace("b-w")
    .raw()
    .toBuffer();
}

/** Share of the pixels that may lie beyond each end of the colour bar. */
const beyond = 0.002;

/** What the colours span. */
interface ShownRange extends Scale {
  /** Whether colours tell for from against: a property of the whole map, not of what is left of it after clipping. */
  readonly signed: boolean;
}

/**
 * All values but the few most extreme, so that one hot pixel does not leave the rest dark; 0 as well where values have
 * signs. The map itself keeps its full scale.
 */
function shownRange(map: Uint8Array, { min, max }: Scale): ShownRange {
  const counts = new Uint32Array(256);
  for (const byte of map) counts[byte] = (counts[byte] ?? 0) + 1;
  const ascending = Array.from({ length: 256 }, (_, byte) => byte);
  const [low = 0, high = 0] = [ascending, ascending.toReversed()].map((bytes) => endOf(bytes, counts));
  const signed = min < 0;
  if (high <= low) return { min, max, signed };
  const value = (byte: number): number => min + (byte / 255) * (max - min);
  if (!signed) return { min: value(low), max: value(high), signed };
  const below = Math.min(0, value(low));
  const above = Math.max(0, value(high));
  // Colours reach as far on one side of 0 as on the other. So few pixels of a sign show too, and the bar tells what they are.
  const zero = Math.round((-min / (max - min)) * 255);
  const [lowest, highest] = [ascending.slice(0, zero), ascending.slice(zero + 1).toReversed()].map((bytes) =>
    endOf(bytes, counts),
  );
  return {
    min: lowest === undefined ? below : Math.min(below, Math.max(value(lowest), -above)),
    max: highest === undefined ? above : Math.max(above, Math.min(value(highest), -below)),
    signed,
  };
}

/** The first of these bytes that more than a few of their pixels have reached; `undefined` where there are none. */
function endOf(bytes: readonly number[], counts: Uint32Array): number | undefined {
  const allowed = beyond * bytes.reduce((total, byte) => total + (counts[byte] ?? 0), 0);
  let sum = 0;
  return bytes.find((byte) => (sum += counts[byte] ?? 0) > allowed);
}

/** For each of the map's bytes: what is added of its colour, and how much of the image stays. */
interface ColourTable {
  readonly red: Float32Array;
  readonly green: Float32Array;
  readonly blue: Float32Array;
  readonly rest: Float32Array;
}

/** The colour of a value and how strongly it shows; signed scales are centred on 0. */
function paint(
  value: number,
  { min, max, signed }: ShownRange,
): { readonly colour: Colour; readonly strength: number } {
  const reach = signed ? Math.max(-min, max) : max - min;
  const raw = reach > 0 ? (signed ? value : value - min) / reach : 0;
  const t = Math.min(1, Math.max(signed ? -1 : 0, raw));
  return { colour: signed ? divergingColour(t) : sequentialColour(t), strength: 0.25 + 0.7 * Math.sqrt(Math.abs(t)) };
}

function colourTable(scale: Scale, shown: ShownRange): ColourTable {
  const painted = Array.from({ length: 256 }, (_, byte) =>
    paint(scale.min + (byte / 255) * (scale.max - scale.min), shown),
  );
  const added = (channel: keyof Colour): Float32Array =>
    Float32Array.from(painted, ({ colour, strength }) => colour[channel] * strength);
  const rest = Float32Array.from(painted, ({ strength }) => 1 - strength);
  return { red: added("red"), green: added("green"), blue: added("blue"), rest };
}

/** The coloured map over the image in grey: the stronger the value, the more of its colour. */
function overlayOf(image: Uint8Array, map: Uint8Array, { red, green, blue, rest }: ColourTable): Buffer {
  const overlay = Buffer.alloc(image.length);
  for (let i = 0, at = 0; i < map.length; i += 1, at += 3) {
    const grey = 0.299 * (image[at] ?? 0) + 0.587 * (image[at + 1] ?? 0) + 0.114 * (image[at + 2] ?? 0);
    const byte = map[i] ?? 0;
    // A half more: what is stored is cut off, which `Math.round` takes three times as long for.
    const shown = grey * (rest[byte] ?? 0) + 0.5;
    overlay[at] = shown + (red[byte] ?? 0);
    overlay[at + 1] = shown + (green[byte] ?? 0);
    overlay[at + 2] = shown + (blue[byte] ?? 0);
  }
  return overlay;
}

/** The lines above the pictures; what is too long for the width ends in dots. */
function captionOf(lines: readonly string[], width: number): string {
  const characters = Math.floor((width - 2 * margin) / (cell.width * fontSize));
  const texts = lines.map((line, index) =>
    textPath(line.length > characters ? `${line.slice(0, characters - 3)}...` : line, {
      x: margin,
      y: margin + index * (cell.height + 3) * fontSize,
      size: fontSize,
    }),
  );
  return `<path d="${texts.join("")}" fill="${ink}"/>`;
}

/** The colour bar, so high, with its values beside it. */
function legendOf(shown: ShownRange, height: number): string {
  const { min, max } = shown;
  const stops = Array.from({ length: 18 }, (_, index) => {
    const { red, green, blue } = paint(min + (index / 17) * (max - min), shown).colour;
    return `<stop offset="${index / 17}" stop-color="rgb(${red},${green},${blue})"/>`;
  });
  const yOf = (value: number): number => {
    const at = height * (1 - (max > min ? (value - min) / (max - min) : 0));
    return Math.min(height - 7 * fontSize, Math.max(0, at - 3.5 * fontSize));
  };
  const label = (value: number): string =>
    textPath(formatNumber(value), { x: margin + barWidth + 8, y: yOf(value), size: fontSize });
  const between = min < 0 && max > 0 ? 0 : (min + max) / 2;
  // Nearer than a line to an end, it would be printed over the end's own number.
  const isApart = [min, max].every((end) => Math.abs(yOf(between) - yOf(end)) >= cell.height * fontSize);
  const marks = isApart ? [min, between, max] : [min, max];
  return `<defs><linearGradient id="bar" x1="0" y1="1" x2="0" y2="0">${stops.join("")}</linearGradient></defs>
<rect x="${margin}" y="0" width="${barWidth}" height="${height}" fill="url(#bar)" stroke="#666666"/>
<path d="${marks.map(label).join("")}" fill="${ink}"/>`;
}

/** At most nine characters. */
function formatNumber(value: number): string {
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  return magnitude >= 0.001 && magnitude < 100_000 ? value.toPrecision(3) : value.toExponential(2);
}
