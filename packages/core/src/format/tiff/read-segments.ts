import { setMaxListeners } from "node:events";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { ErrorDetail } from "../../errors/slidelight-error.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { decodeOptions, decodeRgb } from "../images/decode.ts";
import type { RgbBlock } from "../images/decode.ts";
import { loadSharp } from "../sharp.ts";
import { tagValues } from "./directories.ts";
import type { TiffFile } from "./directories.ts";
import { samplesOf } from "./page.ts";
import type { Page } from "./page.ts";
import { segmentFile } from "./segment-file.ts";
import type { SegmentTags } from "./segment-file.ts";
import { placeDetail, segmentPlace } from "./segment-place.ts";
import { tags } from "./tags.ts";

/** A level whose segments are to be read. */
export interface SegmentLevel {
  readonly level: number;
  readonly page: Page;
  readonly copied: SegmentTags;
  /** Of the file's first page, which turns all of them. */
  readonly orientation: number;
}

/** The tags of a page that its segments' decoder needs. */
export async function segmentTags(
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

export interface ReadSegments extends Abortable, SegmentLevel {
  /** Where the compressed bytes come from. */
  readonly source: ByteSource;
  /** Ascending: a last strip is shorter, and must come last. */
  readonly indices: readonly number[];
}

/** What becomes of a segment; a blank one is `undefined`. */
export type SegmentOutcome = PromiseSettledResult<RgbBlock | undefined>;

/**
 * Reads segments and decodes them in one call of libvips, which takes as long to begin as a tile of 256 x 256 to decode. If it
 * fails, each is decoded by itself: then the others are there, and the message says which one is damaged.
 * @returns What became of each, in their order; those that were decoded together lie in one buffer. `image-corrupt`, `image-truncated` with its place in message and detail, `store-*`.
 */
export async function readSegments(file: TiffFile, request: ReadSegments): Promise<readonly SegmentOutcome[]> {
  // Every read in flight listens to it.
  if (request.signal !== undefined) setMaxListeners(0, request.signal);
  const fetched = await Promise.allSettled(request.indices.map((index) => fetchSegment(request, index)));
  const stored = fetched.flatMap((outcome) =>
    outcome.status === "fulfilled" && outcome.value !== undefined ? [outcome.value] : [],
  );
  const decoded = await decodedEach(file, request, stored);
  return fetched.map((outcome) => {
    if (outcome.status === "rejected") return outcome;
    const block = outcome.value === undefined ? undefined : decoded.get(outcome.value);
    return block ?? { status: "fulfilled", value: undefined };
  });
}

/** A segment as it lies in the file. */
interface StoredSegment {
  /** Its place, to print. */
  readonly where: string;
  readonly detail: ErrorDetail;
  /** Its compressed bytes, one part for each plane. */
  readonly planes: readonly Uint8Array[];
  readonly height: number;
}

async function fetchSegment(
  { page, orientation, source, level, signal }: ReadSegments,
  index: number,
): Promise<StoredSegment | undefined> {
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
  return { where, detail, planes, height };
}

async function decodedEach(
  file: TiffFile,
  request: ReadSegments,
  segments: readonly StoredSegment[],
): Promise<ReadonlyMap<StoredSegment, SegmentOutcome>> {
  if (segments.length === 0) return new Map();
  try {
    const blocks = await decodeTogether(file, request, segments);
    return new Map(segments.map((segment, index) => [segment, { status: "fulfilled", value: blocks[index] }]));
  } catch (error) {
    const [segment, ...others] = segments;
    if (segment !== undefined && others.length === 0)
      return new Map([[segment, { status: "rejected", reason: corrupt(request.source.uri, segment, error) }]]);
    // One after the other: what libvips says of a failure is lost where another decoding ends at the same moment.
    const alone: [StoredSegment, SegmentOutcome][] = [];
    for (const segment of segments) alone.push(...(await decodedEach(file, request, [segment])));
    return new Map(alone);
  }
}

function corrupt(uri: string, { where, detail }: StoredSegment, cause: unknown): SlidelightError {
  return new SlidelightError(
    "image-corrupt",
    `Decoding ${where} of ${uri} failed: ${messageOf(cause)}. The file is damaged there: copy it again from its origin.`,
    { cause, detail },
  );
}

async function decodeTogether(
  file: TiffFile,
  { page, copied }: ReadSegments,
  segments: readonly StoredSegment[],
): Promise<readonly RgbBlock[]> {
  const [extra] = page.extraSamples;
  const colours = page.photometric === 2 || page.photometric === 6 ? 3 : 1;
  const hasAlpha = extra === 1 || extra === 2;
  const sharp = await loadSharp();
  const image = sharp(segmentFile(page, { segments, littleEndian: file.littleEndian, copied }), decodeOptions);
  const { width, data } = await decodeRgb(image, {
    samples: samplesOf(page),
    alpha: page.samplesPerPixel === colours ? "none" : hasAlpha ? "compose" : "drop",
  });
  let above = 0;
  return segments.map(({ height }) => {
    const start = above * width * 3;
    above += height;
    return { width, height, data: data.subarray(start, above * width * 3) };
  });
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
