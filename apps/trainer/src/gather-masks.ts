import { SlidelightError } from "@slidelight/core";
import { readTable, tableFault } from "./read-table.ts";
import type { GatherOptions } from "./read-table.ts";

/** An image to judge a model by, as a table names it. */
export interface MaskedEntry {
  readonly uri: string;
  /** As the table has it. */
  readonly name: string;
  /** Index of its class. */
  readonly label: number;
  readonly mask?: { readonly uri: string; readonly name: string };
}

/**
 * The images of a CSV with the columns image, label and mask, in its order; one that is named twice once.
 * @throws {SlidelightError} `evaluation-data`, `image-not-found` (the table is not there), `store-*`.
 */
export async function gatherMasks(
  source: string,
  classes: readonly string[],
  options: GatherOptions,
): Promise<readonly MaskedEntry[]> {
  const fault = tableFault("evaluation-data", source);
  const { rows, beside } = await readTable(source, options, { columns: ["image", "label", "mask"], fault });
  const entries = new Map<string, MaskedEntry>();
  const unknown = new Map<string, number>();
  for (const { record, line } of rows) {
    const { image = "", label = "", mask = "" } = record;
    if (image === "" || label === "") {
      throw fault(`line ${line}: expected an image and a label, got "${image}" and "${label}"`);
    }
    const index = classIndex(label, classes);
    if (index === undefined) {
      unknown.set(label, (unknown.get(label) ?? 0) + 1);
      continue;
    }
    const masked = mask === "" ? {} : { mask: { uri: beside(mask), name: mask } };
    const entry = { uri: beside(image), name: image, label: index, ...masked };
    const known = entries.get(entry.uri);
    if (known !== undefined && (known.label !== index || known.mask?.uri !== entry.mask?.uri)) {
      throw fault(`line ${line}: ${image} was named before with another label or mask; an image has one of each`);
    }
    entries.set(entry.uri, entry);
  }
  if (unknown.size > 0) throw unknownLabels(source, unknown, classes);
  return [...entries.values()];
}

/** By name, else by number. */
function classIndex(label: string, classes: readonly string[]): number | undefined {
  const named = classes.indexOf(label);
  if (named >= 0) return named;
  const index = /^\d+$/u.test(label) ? Number(label) : classes.length;
  return index < classes.length ? index : undefined;
}

const namedLabels = 12;

function unknownLabels(
  source: string,
  unknown: ReadonlyMap<string, number>,
  classes: readonly string[],
): SlidelightError {
  const labels = [...unknown].map(([label, count]) => `"${label}" (${count} ${count === 1 ? "line" : "lines"})`);
  const shown = labels.slice(0, namedLabels).join(", ");
  const more = labels.length > namedLabels ? ` and ${labels.length - namedLabels} others` : "";
  return new SlidelightError(
    "evaluation-data",
    `Reading the labels of ${source}: expected classes of the model, which are ${classes.slice(0, namedLabels).join(", ")}${classes.length > namedLabels ? ", …" : ""}; got ${shown}${more}. Give the model that was trained with these labels, or name them as the model does.`,
  );
}
