import { imageExtensions } from "@slidelight/contract";
import { openStore, parseLocation, SlidelightError } from "@slidelight/core";
import { expectFolder } from "@slidelight/core/request";
import { join, resolve } from "node:path";
import { readTable, tableFault } from "./read-table.ts";
import type { GatherOptions } from "./read-table.ts";

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

/**
 * The images of a folder or `s3://bucket/prefix/` whose sub-folders are the classes, or of a CSV with the columns image and
 * label, and part where it says what each is for; sorted by name.
 * @throws {SlidelightError} `training-data`, `usage`, `image-not-found` (the table or the folder is not there), `store-*`.
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
  if (location.kind === "file") {
    const advice = "Give one with a folder for each class, or a CSV with the columns image and label.";
    await expectFolder(root, { doing: "Gathering images in", missing: "image-not-found", advice });
  }
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

async function tableImages(source: string, options: GatherOptions): Promise<readonly LabelledEntry[]> {
  const fault = tableFault("training-data", source);
  const { rows, beside } = await readTable(source, options, { columns: ["image", "label"], fault });
  const seen = new Map<string, LabelledEntry>();
  for (const { record, line } of rows) {
    const { image = "", label = "" } = record;
    if (image === "" || label === "") {
      throw fault(`line ${line}: expected an image and a label, got "${image}" and "${label}"`);
    }
    const part = partOf(record);
    if (part === "unknown") {
      throw fault(`line ${line}: expected the part training or validation, got "${record["part"] ?? ""}"`);
    }
    const entry = { uri: beside(image), name: image, label, ...(part === undefined ? {} : { part }) };
    const known = seen.get(entry.uri);
    if (known !== undefined && known.part !== part) {
      throw fault(`line ${line}: ${image} is for training and for validation; it can be for one of them`);
    }
    if (known !== undefined && known.label !== label) {
      throw fault(`line ${line}: ${image} is "${label}" here and "${known.label}" before; an image has one label`);
    }
    seen.set(entry.uri, entry);
  }
  return [...seen.values()];
}

const parts: Readonly<Record<string, Part>> = {
  training: "training",
  train: "training",
  validation: "validation",
  val: "validation",
};

/** Where a table has the column `part`, what it says; every line must. */
function partOf(record: Readonly<Record<string, string>>): Part | "unknown" | undefined {
  const text = record["part"];
  return text === undefined ? undefined : (parts[text.toLowerCase()] ?? "unknown");
}
