import { readFileSync } from "node:fs";

/** Seconds that `work` takes, and what it gives. */
export async function timed(work) {
  const started = performance.now();
  const result = await work();
  return { seconds: (performance.now() - started) / 1000, result };
}

/** What `work` makes of a resource, which is disposed of afterwards. */
export async function withResource(resource, work) {
  try {
    return await work(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}

/** What `work` makes of what all `open` gives, by name; what was opened is disposed of afterwards, the last one first. */
export async function withResources(opening, work) {
  const opened = {};
  try {
    for (const [name, open] of Object.entries(opening)) opened[name] = await open(opened);
    return await work(opened);
  } finally {
    for (const resource of Object.values(opened).toReversed()) await resource[Symbol.asyncDispose]();
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The most memory that this process ever held, in GB; undefined where the system does not tell. */
export function peakGigabytes() {
  try {
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1e6;
  } catch {
    return undefined;
  }
}

export function megapixels({ width, height }) {
  return (width * height) / 1e6;
}

/** Prints rows of equal keys as a table. */
export function printTable(title, rows) {
  const [first] = rows;
  if (first === undefined) return;
  const names = Object.keys(first);
  const text = (value) => (typeof value === "number" ? value.toFixed(value < 10 ? 2 : 1) : String(value ?? "-"));
  const cells = [names, ...rows.map((row) => names.map((name) => text(row[name])))];
  const widths = names.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  process.stdout.write(`\n${title}\n`);
  for (const row of cells) {
    process.stdout.write(`  ${row.map((cell, column) => cell.padStart(widths[column])).join("  ")}\n`);
  }
}
