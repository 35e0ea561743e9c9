import { imageExtensions } from "@slidelight/contract";
import { openSource, openStore, parseLocation, SlidelightError } from "@slidelight/core";
import type { Abortable, StoreSettings } from "@slidelight/core";
import { parse } from "csv-parse/sync";
import { isAbsolute, join, resolve } from "node:path";
import { z } from "zod";

/** An image to train with, as it was found. */
export interface LabelledEntry {
  readonly uri: string;
  /** Relative to what it was found by. */
  readonly name: string;
  readonly label: string;
  /** What a table says that it is for. */
  readonly part?: Part;
}

export type Part = "training" | "validation";

export interface GatherOptions extends StoreSettings, Abortable {
  /** Relative paths are relative to it. */
  readonly folder: string;
}

/**
 * The images of a folder or `s3://bucket/prefix/` whose sub-folders are the classes, or of a CSV with the columns image and
 * label, and part where it says what each is for; sorted by name.
 * @throws {SlidelightError} `training-data`, `usage`, `image-not-found` (the table is not there), `store-*`.
 */
export async function gatherImages(source: string, options: GatherOptions): Promise<readonly LabelledEntry[]> {
  const entries = source.toLowerCase().endsWith(".csv")
    ? await tableImages(source, options)
    : await folderImages(source, options);
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function folderImages(source: string, { folder, signal, ...settings }: GatherOptions): Promise<LabelledEntry[]> {
  const location = parseLocation(source);
  const root = location.kind === "s3" ? source : resolve(folder, location.path);
  const entries: LabelledEntry[] = [];
  let outside = 0;
  for await (const { key } of openStore(root, settings).list("", { signal })) {
    if (!imageExtensions.includes(key.split(".").at(-1)?.toLowerCase() ?? "")) continue;
    const [label, ...rest] = key.split("/");
    if (label === undefined || rest.length === 0) outside += 1;
    else
      entries.push({
        uri: location.kind === "s3" ? `${source.replace(/\/$/u, "")}/${key}` : join(root, key),
        name: key,
        label,
      });
  }
  if (entries.length > 0) return entries;
  throw new SlidelightError(
    "training-data",
    `Gathering images in ${source}: expected a folder for each class with images in it, got ${outside === 0 ? "no image" : `${outside} images in no class's folder`}. Put them in <folder>/<class>/, or give a CSV with the columns image and label.`,
  );
}

const rowSchema = z.object({ record: z.record(z.string(), z.string()), info: z.object({ lines: z.number() }) });

async function tableImages(source: string, { folder, signal, ...settings }: GatherOptions): Promise<LabelledEntry[]> {
  const location = parseLocation(source);
  const path = location.kind === "s3" ? source : resolve(folder, location.path);
  await using file = await openSource(path, { ...settings, signal });
  const text = Buffer.from(await file.read({ offset: 0, length: file.size }, { signal })).toString("utf8");
  const seen = new Map<string, LabelledEntry>();
  for (const { record, info } of rowsOf(text, source)) {
    const { image = "", label = "" } = record;
    if (image === "" || label === "") {
      throw table(source, `line ${info.lines}: expected an image and a label, got "${image}" and "${label}"`);
    }
    const part = partOf(record, { source, line: info.lines });
    const entry = { uri: besideTable(path, image), name: image, label, ...(part === undefined ? {} : { part }) };
    const known = seen.get(entry.uri);
    if (known !== undefined && known.part !== part) {
      throw table(source, `line ${info.lines}: ${image} is for training and for validation; it can be for one of them`);
    }
    if (known !== undefined && known.label !== label) {
      throw table(
        source,
        `line ${info.lines}: ${image} is "${label}" here and "${known.label}" before; an image has one label`,
      );
    }
    seen.set(entry.uri, entry);
  }
  if (seen.size === 0) throw table(source, "expected a line for each image, got none");
  return [...seen.values()];
}

const parts: Readonly<Record<string, Part>> = {
  training: "training",
  train: "training",
  validation: "validation",
  val: "validation",
};

/** Where a table has the column `part`, what it says; every line must. */
function partOf(
  record: Readonly<Record<string, string>>,
  { source, line }: { readonly source: string; readonly line: number },
): Part | undefined {
  const text = record["part"];
  if (text === undefined) return undefined;
  const part = parts[text.toLowerCase()];
  if (part === undefined) throw table(source, `line ${line}: expected the part training or validation, got "${text}"`);
  return part;
}

function rowsOf(text: string, source: string): readonly z.output<typeof rowSchema>[] {
  let header: readonly string[] = [];
  const columns = (names: readonly string[]): string[] => {
    header = names.map((name) => name.trim().toLowerCase());
    return [...header];
  };
  let parsed: unknown;
  try {
    parsed = parse(text, { bom: true, columns, info: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw table(source, error instanceof Error ? error.message : String(error));
  }
  const missing = ["image", "label"].filter((name) => !header.includes(name));
  if (missing.length > 0) {
    throw table(
      source,
      `expected a first line with the columns image and label, got ${header.join(", ") || "nothing"}`,
    );
  }
  return z.array(rowSchema).parse(parsed);
}

/** Paths in a table are relative to the folder that it lies in. */
function besideTable(path: string, image: string): string {
  if (parseLocation(image).kind === "s3" || isAbsolute(image)) return image;
  if (path.startsWith("s3://")) return `${path.slice(0, path.lastIndexOf("/"))}/${image}`;
  return resolve(path, "..", image);
}

function table(source: string, fault: string): SlidelightError {
  return new SlidelightError("training-data", `Reading the table ${source} failed: ${fault}.`);
}
