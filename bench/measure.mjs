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

/**
 * What `work` makes of several resources, by name; those that can be are disposed of afterwards, the last one first. `openers` open them one after the other:
 * each is given those before it.
 */
export async function withResources(openers, work) {
  const opened = {};
  try {
    for (const [name, open] of Object.entries(openers)) opened[name] = await open(opened);
    return await work(opened);
  } finally {
    for (const resource of Object.values(opened).toReversed()) await resource[Symbol.asyncDispose]?.();
  }
}

/** Each runner once in every round: its seconds, or why it does not run, which is not tried again. */
export async function takeTurns(runners, rounds) {
  const [seconds, errors] = [new Map(), new Map()];
  // Round 0 warms up: compiling and first touches of memory are not what is compared.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, take] of runners) {
      if (errors.has(name)) continue;
      const reply = await take();
      if (reply.error !== undefined) {
        errors.set(name, reply.error);
        seconds.delete(name);
      } else if (round > 0) seconds.set(name, [...(seconds.get(name) ?? []), reply.seconds]);
    }
  }
  return { seconds, errors };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The most memory that a process, by default this one, ever held, in GB; undefined where the system does not tell. */
export function peakGigabytes(processId = "self") {
  try {
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${processId}/status`, "utf8"))?.[1];
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
