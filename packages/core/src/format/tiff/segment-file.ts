import { tags } from "./tags.ts";
import type { Page } from "./page.ts";

/** Tags that tell a decoder how to read a segment; they are copied with their values. */
export interface SegmentTags {
  readonly fillOrder: number;
  readonly predictor: number;
  readonly t4Options: number;
  readonly t6Options: number;
  readonly yCbCrSubSampling: readonly number[];
  readonly colorMap: readonly number[];
}

interface Field {
  readonly tag: number;
  readonly type: "byte" | "short" | "long";
  readonly values: ArrayLike<number>;
}

const typeCodes = { byte: 7, short: 3, long: 4 } as const;
const typeBytes = { byte: 1, short: 2, long: 4 } as const;

/** A segment's bytes as they are compressed. */
export interface SegmentBytes {
  /** One part for each plane. */
  readonly planes: readonly Uint8Array[];
  /** In rows. */
  readonly height: number;
}

/**
 * A TIFF file in memory whose only image is some segments, still compressed, one below the other, so that libvips decodes them with
 * everything it knows of TIFF. A tile is written as a strip: their bytes are the same.
 * @param options.segments as high as each other; the last one may be lower
 */
export function segmentFile(
  page: Page,
  options: {
    readonly segments: readonly SegmentBytes[];
    readonly littleEndian: boolean;
    readonly copied: SegmentTags;
  },
): Buffer {
  const { segments, littleEndian, copied } = options;
  const shorts = (tag: number, ...values: readonly number[]): Field => ({ tag, type: "short", values });
  const longs = (tag: number, ...values: readonly number[]): Field => ({ tag, type: "long", values });
  const planeCount = page.planar ? page.samplesPerPixel : 1;
  // All strips of a plane come before those of the next one.
  const strips = Array.from({ length: planeCount }, (_, plane) =>
    segments.flatMap(({ planes }) => planes.slice(plane, plane + 1)),
  ).flat();
  const offsets: number[] = [];
  let length = 8;
  for (const strip of strips) {
    offsets.push(length);
    length += strip.length + (strip.length % 2);
  }
  const fields: readonly Field[] = [
    longs(tags.imageWidth, page.segmentWidth),
    longs(
      tags.imageLength,
      segments.reduce((sum, { height }) => sum + height, 0),
    ),
    shorts(tags.bitsPerSample, ...Array.from({ length: page.samplesPerPixel }, () => page.bitsPerSample[0] ?? 8)),
    shorts(tags.compression, page.compression),
    shorts(tags.photometric, page.photometric),
    shorts(tags.fillOrder, copied.fillOrder),
    longs(tags.stripOffsets, ...offsets),
    shorts(tags.samplesPerPixel, page.samplesPerPixel),
    longs(tags.rowsPerStrip, segments[0]?.height ?? 0),
    longs(tags.stripByteCounts, ...strips.map((strip) => strip.length)),
    shorts(tags.planarConfiguration, page.planar ? 2 : 1),
    ...(page.compression === 3 ? [longs(tags.t4Options, copied.t4Options)] : []),
    ...(page.compression === 4 ? [longs(tags.t6Options, copied.t6Options)] : []),
    ...(copied.predictor === 1 ? [] : [shorts(tags.predictor, copied.predictor)]),
    ...(copied.colorMap.length === 0 ? [] : [{ tag: tags.colorMap, type: "short", values: copied.colorMap } as const]),
    ...(page.extraSamples.length === 0 ? [] : [shorts(tags.extraSamples, ...page.extraSamples)]),
    ...(page.jpegTables === undefined
      ? []
      : [{ tag: tags.jpegTables, type: "byte", values: page.jpegTables } as const]),
    ...(copied.yCbCrSubSampling.length === 0 ? [] : [shorts(tags.yCbCrSubSampling, ...copied.yCbCrSubSampling)]),
  ];

  const sizeOf = (field: Field): number => field.values.length * typeBytes[field.type];
  const directory = length;
  let valuesAt = directory + 2 + fields.length * 12 + 4;
  const outside = fields.reduce((sum, field) => sum + (sizeOf(field) > 4 ? sizeOf(field) + (sizeOf(field) % 2) : 0), 0);
  const file = Buffer.alloc(valuesAt + outside);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  file.write(littleEndian ? "II" : "MM", 0, "latin1");
  view.setUint16(2, 42, littleEndian);
  view.setUint32(4, directory, littleEndian);
  strips.forEach((strip, index) => file.set(strip, offsets[index]));
  view.setUint16(directory, fields.length, littleEndian);
  fields.forEach((field, index) => {
    const at = directory + 2 + index * 12;
    view.setUint16(at, field.tag, littleEndian);
    view.setUint16(at + 2, typeCodes[field.type], littleEndian);
    view.setUint32(at + 4, field.values.length, littleEndian);
    const size = sizeOf(field);
    if (size > 4) {
      view.setUint32(at + 8, valuesAt, littleEndian);
      writeValues(view, { field, at: valuesAt, littleEndian });
      valuesAt += size + (size % 2);
    } else {
      writeValues(view, { field, at: at + 8, littleEndian });
    }
  });
  return file;
}

const writers = {
  byte: (view: DataView, at: number, value: number) => view.setUint8(at, value),
  short: (view: DataView, at: number, value: number, littleEndian: boolean) => view.setUint16(at, value, littleEndian),
  long: (view: DataView, at: number, value: number, littleEndian: boolean) => view.setUint32(at, value, littleEndian),
} as const;

function writeValues(
  view: DataView,
  { field, at, littleEndian }: { readonly field: Field; readonly at: number; readonly littleEndian: boolean },
): void {
  const write = writers[field.type];
  for (let index = 0; index < field.values.length; index += 1) {
    write(view, at + index * typeBytes[field.type], field.values[index] ?? 0, littleEndian);
  }
}
