import { isAbsolute, resolve } from "node:path";
import { openSource, parseLocation, SlidelightError } from "@slidelight/core";
import { messageOf } from "@slidelight/core/request";
import type { Abortable, ErrorCode, StoreSettings } from "@slidelight/core";
import { parse } from "csv-parse/sync";
import { z } from "zod";

export interface GatherOptions extends StoreSettings, Abortable {
  /** Relative paths are relative to it. */
  readonly folder: string;
}

export interface TableRow {
  /** By the names of the first line, in lower case. */
  readonly record: Readonly<Record<string, string>>;
  /** From 1, the first line included. */
  readonly line: number;
}

export interface Table {
  readonly rows: readonly TableRow[];
  /** Where a path of the table lies: beside it, unless it is absolute or on S3. */
  beside(path: string): string;
}

type Fault = (text: string) => SlidelightError;

export function tableFault(code: ErrorCode, source: string): Fault {
  return (text) => new SlidelightError(code, `Reading the table ${source} failed: ${text}.`);
}

const rowSchema = z.object({ record: z.record(z.string(), z.string()), info: z.object({ lines: z.number() }) });

/**
 * A CSV whose first line names at least these columns, in any order and case; it has a line or more below.
 * @throws {SlidelightError} What `fault` makes of a fault; `image-not-found` (the table is not there), `store-*`.
 */
export async function readTable(
  source: string,
  { folder, signal, ...settings }: GatherOptions,
  { columns, fault }: { readonly columns: readonly string[]; readonly fault: Fault },
): Promise<Table> {
  const location = parseLocation(source);
  const path = location.kind === "s3" ? source : resolve(folder, location.path);
  await using file = await openSource(path, { ...settings, signal });
  const text = Buffer.from(await file.read({ offset: 0, length: file.size }, { signal })).toString("utf8");
  const rows = rowsOf(text, { columns, fault });
  if (rows.length === 0) throw fault("expected a line for each image, got none");
  return { rows, beside: (name) => besideTable(path, name) };
}

function rowsOf(
  text: string,
  { columns, fault }: { readonly columns: readonly string[]; readonly fault: Fault },
): readonly TableRow[] {
  let header: readonly string[] = [];
  const named = (names: readonly string[]): string[] => {
    header = names.map((name) => name.trim().toLowerCase());
    return [...header];
  };
  let parsed: unknown;
  try {
    parsed = parse(text, { bom: true, columns: named, info: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw fault(messageOf(error));
  }
  if (columns.some((name) => !header.includes(name))) {
    const wanted = [columns.slice(0, -1).join(", "), ...columns.slice(-1)].join(" and ");
    throw fault(`expected a first line with the columns ${wanted}, got ${header.join(", ") || "nothing"}`);
  }
  return z
    .array(rowSchema)
    .parse(parsed)
    .map(({ record, info }) => ({ record, line: info.lines }));
}

function besideTable(path: string, name: string): string {
  if (parseLocation(name).kind === "s3" || isAbsolute(name)) return name;
  if (path.startsWith("s3://")) return `${path.slice(0, path.lastIndexOf("/"))}/${name}`;
  return resolve(path, "..", name);
}
