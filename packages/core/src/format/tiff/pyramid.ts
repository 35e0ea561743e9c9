import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import type { ImageLimits } from "../image.ts";
import { corrupt, readDirectory, tagBytes, tagValues } from "./directories.ts";
import type { Directory, TiffFile } from "./directories.ts";
import { checkPage, readPage, readPageHeader } from "./page.ts";
import type { Page, PageHeader } from "./page.ts";
import { tags } from "./tags.ts";

/** The levels of a TIFF's first image, and what its metadata say. */
export interface Pyramid {
  readonly pages: readonly [Page, ...Page[]];
  readonly format: string;
  readonly micronsPerPixel?: number;
}

const maxSubDirectories = 64;
/** Aperio's descriptions have some hundred characters; the XML of other programs can have millions. */
const maxDescriptionBytes = 65_536;

/**
 * Finds the levels: the first page, and smaller pages of the same proportions among its SubIFDs and the pages behind it.
 * Thumbnails, labels and macro photographs are left out.
 */
export async function readPyramid(
  file: TiffFile,
  options: Abortable & { readonly limits: ImageLimits },
): Promise<Pyramid> {
  const [first, ...others] = file.directories;
  if (first === undefined) throw corrupt(file.source, "it has no directory");
  if (first.entries.has(tags.ndpiFormat)) {
    throw new SlidelightError(
      "image-unsupported",
      `Opening ${file.source.uri} failed: it is a Hamamatsu NDPI slide, which is not supported. OpenSlide or QuPath reads it: ` +
        "convert it to a tiled TIFF.",
    );
  }
  const description = await descriptionOf(file, { ...options, directory: first });
  const aperio = description.startsWith("Aperio");
  const base = await readPageHeader(file, { ...options, directory: first });
  checkPage(file, base, options.limits);

  const candidates: PageHeader[] = [];
  for (const directory of [...(await subDirectories(file, { ...options, directory: first })), ...others]) {
    candidates.push(await readPageHeader(file, { ...options, directory }));
  }
  const headers = candidates
    .filter((page) => isLevelOf(base, page, { aperio }))
    .sort((a, b) => b.width - a.width)
    .filter((page, index, all) => index === 0 || page.width < (all[index - 1]?.width ?? 0));
  for (const header of headers) checkPage(file, header, options.limits);

  const pages: [Page, ...Page[]] = [await readPage(file, { ...options, header: base })];
  for (const header of headers) pages.push(await readPage(file, { ...options, header }));
  const micronsPerPixel =
    micronsOf(description, aperio) ?? (await micronsOfTags(file, { ...options, directory: first }));
  const variant = `${base.tiled ? "tiled" : "striped"} ${file.big ? "BigTIFF" : "TIFF"}`;
  return {
    pages,
    format: aperio ? "Aperio SVS" : pages.length > 1 ? `pyramidal ${variant}` : variant,
    ...(micronsPerPixel !== undefined && { micronsPerPixel }),
  };
}

async function descriptionOf(file: TiffFile, options: Abortable & { readonly directory: Directory }): Promise<string> {
  const raw = await tagBytes(file, { ...options, tag: tags.imageDescription, most: maxDescriptionBytes });
  return raw === undefined ? "" : Buffer.from(raw).toString("utf8");
}

async function subDirectories(
  file: TiffFile,
  options: Abortable & { readonly directory: Directory },
): Promise<readonly Directory[]> {
  const offsets = await tagValues(file, { ...options, tag: tags.subIfds, most: maxSubDirectories + 1 });
  if (offsets.length > maxSubDirectories) {
    throw corrupt(file.source, `its first page claims more than ${maxSubDirectories} sub-directories`);
  }
  const found: Directory[] = [];
  for (const offset of offsets) found.push((await readDirectory(file, { ...options, offset })).directory);
  return found;
}

/** Bits of NewSubfileType. */
const reducedResolution = 1;
const transparencyMask = 4;

function isLevelOf(base: PageHeader, page: PageHeader, { aperio }: { readonly aperio: boolean }): boolean {
  if (page.width < 1 || page.height < 1 || page.width >= base.width || page.height > base.height) return false;
  if ((page.subfileType & transparencyMask) !== 0) return false;
  const marked = (page.subfileType & reducedResolution) !== 0;
  // Aperio marks labels and macros as reduced, but levels alone are tiled.
  if (aperio ? !page.tiled : !(marked || (page.tiled && base.tiled))) return false;
  const sameSamples = page.samplesPerPixel === base.samplesPerPixel && page.bitsPerSample[0] === base.bitsPerSample[0];
  // Writers round the sides of a level up or down, some at each halving.
  const ratioX = base.width / page.width;
  const ratioY = base.height / page.height;
  const tolerance = 0.01 + 2 / page.width + 2 / page.height;
  return sameSamples && Math.abs(ratioX / ratioY - 1) <= tolerance;
}

function micronsOf(description: string, aperio: boolean): number | undefined {
  const [, text] = (aperio ? /\|\s*MPP\s*=\s*([0-9.]+)/u.exec(description) : null) ?? [];
  return text === undefined ? undefined : plausible(Number(text));
}

async function micronsOfTags(
  file: TiffFile,
  options: Abortable & { readonly directory: Directory },
): Promise<number | undefined> {
  const [x = 0] = await tagValues(file, { ...options, tag: tags.xResolution, most: 1 });
  const [y = 0] = await tagValues(file, { ...options, tag: tags.yResolution, most: 1 });
  const [unit = 2] = await tagValues(file, { ...options, tag: tags.resolutionUnit, most: 1 });
  const micronsPerUnit = { 2: 25_400, 3: 10_000 }[unit];
  return micronsPerUnit === undefined ? undefined : plausible((micronsPerUnit / x + micronsPerUnit / y) / 2);
}

/** Coarser values are a screen's or a printer's resolution (72 dpi: 353 µm), which ordinary software writes by habit. */
function plausible(microns: number): number | undefined {
  return Number.isFinite(microns) && microns > 0 && microns < 50 ? microns : undefined;
}
