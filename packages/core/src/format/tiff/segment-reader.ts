import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { messageOf } from "../../io/io-error.ts";
import { shareWork } from "../../io/shared-work.ts";
import type { SharedWork } from "../../io/shared-work.ts";
import { decodeOptions, decodeRgb } from "../images/decode.ts";
import type { RgbBlock } from "../images/decode.ts";
import { loadSharp } from "../sharp.ts";
import { tagValues } from "./directories.ts";
import type { TiffFile } from "./directories.ts";
import type { Page } from "./page.ts";
import { segmentFile } from "./segment-file.ts";
import type { SegmentTags } from "./segment-file.ts";
import { placeDetail, segmentPlace } from "./segment-place.ts";
import { tags } from "./tags.ts";

/** Gives decoded tiles and strips, keeping those that were used last. */
export interface SegmentReader {
  /**
   * Segment `index` of a level as RGB, `undefined` when it is blank.
   * @throws {SlidelightError} `image-corrupt`/`image-truncated` with its place in message and detail, `store-*`.
   */
  read(at: { readonly level: number; readonly index: number }, options: Abortable): Promise<RgbBlock | undefined>;
}

interface Level {
  readonly page: Page;
  readonly copied: SegmentTags;
  readonly orientation: number;
}

/**
 * @param options.source where the compressed bytes come from; coalesced, so that neighbours are one request
 * @param options.cacheBytes memory for decoded segments
 */
export async function openSegmentReader(
  file: TiffFile,
  options: Abortable & {
    readonly pages: readonly [Page, ...Page[]];
    readonly source: ByteSource;
    readonly cacheBytes: number;
  },
): Promise<SegmentReader> {
  const { pages, source, cacheBytes, signal } = options;
  const [{ orientation }] = pages;
  const levels: Level[] = [];
  for (const page of pages) levels.push({ page, orientation, copied: await segmentTags(file, { page, signal }) });

  const kept = new Map<string, RgbBlock>();
  const reading = new Map<string, SharedWork<RgbBlock | undefined>>();
  let keptBytes = 0;
  const keep = (key: string, block: RgbBlock): void => {
    const known = kept.get(key);
    if (known !== undefined) keptBytes -= known.data.byteLength;
    kept.delete(key);
    kept.set(key, block);
    keptBytes += block.data.byteLength;
    for (const [oldest, { data }] of kept) {
      if (keptBytes <= cacheBytes) break;
      kept.delete(oldest);
      keptBytes -= data.byteLength;
    }
  };
  const start = (key: string, level: number, index: number): SharedWork<RgbBlock | undefined> => {
    const work = shareWork(async (signal) => {
      try {
        const block = await readSegment(file, { ...levelAt(levels, level), source, level, index, signal });
        if (block !== undefined) keep(key, block);
        return block;
      } finally {
        if (reading.get(key) === work) reading.delete(key);
      }
    });
    reading.set(key, work);
    return work;
  };
  return {
    read: async ({ level, index }, readOptions) => {
      const key = `${level}:${index}`;
      const known = kept.get(key);
      if (known !== undefined) {
        keep(key, known);
        return known;
      }
      const started = reading.get(key);
      const work = started === undefined || started.abandoned ? start(key, level, index) : started;
      return work.join(readOptions);
    },
  };
}

function levelAt(levels: readonly Level[], level: number): Level {
  const found = levels[level];
  if (found === undefined) throw new RangeError(`The image has ${levels.length} levels, got level ${level}.`);
  return found;
}

async function segmentTags(
  file: TiffFile,
  { page, signal }: Abortable & { readonly page: Page },
): Promise<SegmentTags> {
  const { directory } = page;
  const values = (tag: number, most = 1): Promise<readonly number[]> =>
    tagValues(file, { directory, tag, most, signal });
  return {
    fillOrder: (await values(tags.fillOrder))[0] ?? 1,
    predictor: (await values(tags.predictor))[0] ?? 1,
    t4Options: (await values(tags.t4Options))[0] ?? 0,
    t6Options: (await values(tags.t6Options))[0] ?? 0,
    yCbCrSubSampling: page.photometric === 6 ? await values(tags.yCbCrSubSampling, 2) : [],
    colorMap: page.photometric === 3 ? await values(tags.colorMap, 3 * 2 ** (page.bitsPerSample[0] ?? 8)) : [],
  };
}

async function readSegment(
  file: TiffFile,
  request: Abortable & Level & { readonly source: ByteSource; readonly level: number; readonly index: number },
): Promise<RgbBlock | undefined> {
  const { page, copied, orientation, source, level, index, signal } = request;
  const ranges = page.ranges(index);
  if (ranges.some(({ length }) => length === 0)) return undefined;
  const place = segmentPlace(page, { level, index, orientation });
  const where = place.text;
  const detail = { ...placeDetail(place), offset: ranges[0]?.offset, length: ranges[0]?.length };
  const past = ranges.find(({ offset, length }) => offset + length > source.size);
  if (past !== undefined) {
    throw new SlidelightError(
      "image-truncated",
      `Reading ${where} of ${source.uri} failed: the file has only ${source.size} bytes. Copy it again from its origin.`,
      { detail: { ...detail, offset: past.offset, length: past.length, size: source.size } },
    );
  }
  const planes = await Promise.all(ranges.map((range) => source.read(range, { signal })));
  if (page.compression === jpegCompression && planes.some(endsEarly)) {
    throw new SlidelightError(
      "image-truncated",
      `Reading ${where} of ${source.uri} failed: its JPEG data end too early. The file is incomplete there: copy it again from its origin.`,
      { detail },
    );
  }
  const row = Math.floor(index / page.columns);
  const height = page.tiled ? page.segmentHeight : Math.min(page.segmentHeight, page.height - row * page.segmentHeight);
  const [extra] = page.extraSamples;
  const colours = page.photometric === 2 || page.photometric === 6 ? 3 : 1;
  const hasAlpha = extra === 1 || extra === 2;
  const sharp = await loadSharp();
  try {
    const image = sharp(segmentFile(page, { planes, height, littleEndian: file.littleEndian, copied }), decodeOptions);
    return await decodeRgb(image, {
      samples: page.bitsPerSample[0] === 16 ? "uint16" : "uint8",
      alpha: page.samplesPerPixel === colours ? "none" : hasAlpha ? "compose" : "drop",
    });
  } catch (error) {
    throw new SlidelightError(
      "image-corrupt",
      `Decoding ${where} of ${source.uri} failed: ${messageOf(error)}. The file is damaged there: copy it again from its origin.`,
      { cause: error, detail },
    );
  }
}

const jpegCompression = 7;
const startOfImage = Buffer.from([0xff, 0xd8]);
const startOfScan = Buffer.from([0xff, 0xda]);
const endOfImage = Buffer.from([0xff, 0xd9]);

/**
 * Whether a JPEG stream lacks the marker that ends it, as in a file whose last part was never copied. libvips fills such a
 * tile with grey and says nothing. The marker can't occur within the compressed data behind the last start of a scan.
 */
function endsEarly(stream: Uint8Array): boolean {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  return bytes.subarray(0, 2).equals(startOfImage) && bytes.lastIndexOf(endOfImage) <= bytes.lastIndexOf(startOfScan);
}
