import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { engineChoices, openEngine, SlidelightError } from "../packages/core/dist/index.js";
import { withMarked } from "../scripts/marked.mjs";
import { root } from "../scripts/setup.mjs";
import { enginesChart } from "./engines-chart.mjs";
import { median, printTable, takeTurns } from "./measure.mjs";
import { hasCuda, prepare, startPython, whatIsMissing } from "./python.mjs";
import { networkOf } from "./subjects.mjs";

/** Of the interior tile, so that networks of all widths take about the same time. An accelerator has room for larger ones. */
const sides = { cpu: { 16: 1024, 32: 768, 64: 384 }, cuda: { 16: 2048, 32: 2048, 64: 1024 } };
const methods = ["grad-cam", "saliency"];
/** What of PyTorch's a method is compared with, on the device that PyTorch computes on. */
const theirs = {
  cpu: {
    "grad-cam": [
      "forward",
      "forward channels last",
      "forward channels last compiled",
      "forward channels last bfloat16",
      "forward channels last bfloat16 compiled",
      "grad-cam",
      "grad-cam channels last",
      "grad-cam channels last bfloat16",
    ],
    saliency: [
      "gradient",
      "gradient channels last",
      "gradient channels last compiled",
      "gradient channels last bfloat16",
      "gradient channels last bfloat16 compiled",
    ],
  },
  cuda: {
    "grad-cam": [
      "forward",
      "forward channels last",
      "forward channels last tf32",
      "forward channels last float16",
      "forward channels last compiled",
      "forward channels last float16 compiled",
      "grad-cam",
      "grad-cam channels last",
      "grad-cam channels last float16",
    ],
    saliency: [
      "gradient",
      "gradient channels last",
      "gradient channels last tf32",
      "gradient channels last float16",
      "gradient channels last compiled",
      "gradient channels last float16 compiled",
    ],
  },
};
const limitMs = 300_000;

/**
 * Every engine that is here, in each of its precisions, beside PyTorch: megapixels a second of an inner tile's program,
 * memory of the process, and the share of the peak that the same engine reaches on a large convolution and matrix product.
 * PyTorch computes the same pixels without a halo, which is less work; on an NVIDIA GPU where one of the engines does. Rounds are
 * interleaved; medians are shown. `engines`: names of engines, or of one on a provider, "onnxruntime/cuda". `eager`: without PyTorch's compiler, which takes minutes.
 */
export async function benchEngines({ rounds, bases, engines, docs, eager }) {
  const contenders = await present(engines);
  const device = contenders.some(({ provider }) => provider === "cuda") && (await hasCuda()) ? "cuda" : "cpu";
  const missing = await whatIsMissing();
  if (missing !== undefined) process.stdout.write(`\nPyTorch is left out: ${missing}\n`);
  const rows = [];
  const peaks = {};
  for (const base of bases) {
    for (const method of methods) {
      const side = sides[device][base] ?? 512;
      const group = { base, method, side, rounds, device, withPyTorch: missing === undefined, eager };
      const found = await compare(contenders, group, base === bases[0] && method === methods[0] ? peaks : undefined);
      for (const row of found) {
        const peak = peaks[row.what];
        rows.push({ base, method, ...row, "of peak": peak === undefined ? undefined : row["GFLOP/s"] / peak.best });
      }
      printTable(
        `Base ${base}, ${method}, inner tile of ${side} px`,
        rows.filter((row) => row.base === base && row.method === method),
      );
    }
  }
  if (docs) await writeDocuments(rows, bases);
  const peakRows = Object.entries(peaks).map(([what, { best: _, ...peak }]) => ({ what, ...peak }));
  printTable("Peak of each engine, GFLOP/s", peakRows);
  return { rows, peaks: peakRows };
}

/** The table and the chart of `docs/performance.md`. */
async function writeDocuments(rows, bases) {
  const page = join(root, "docs", "performance.md");
  const columns = bases.flatMap((base) => methods.map((method) => ({ base, method })));
  const cell = (what, { base, method }) => {
    const found = rows.find((row) => row.what === what && row.base === base && row.method === method);
    if (found === undefined) return "";
    const peak = found["of peak"] === undefined ? "" : ` (${found["of peak"].toFixed(2)})`;
    const memory = found.GB === undefined ? "" : `, ${found.GB.toFixed(1)} GB`;
    return `${found["MP/s"].toPrecision(3)}${peak}${memory}`;
  };
  const table = [
    ["what", ...columns.map(({ base, method }) => `${base}, ${method}`)],
    ["---", ...columns.map(() => "---")],
    ...[...new Set(rows.map(({ what }) => what))].map((what) => [what, ...columns.map((column) => cell(what, column))]),
  ].map((cells) => `| ${cells.join(" | ")} |`);
  await writeFile(join(root, "docs", "performance-engines.svg"), enginesChart(rows));
  const content = table.join("\n");
  await writeFile(page, withMarked(await readFile(page, "utf8"), { command: "bench", name: "engines", content }));
}

/** Engines on providers that open here and are wanted, with their precisions. */
async function present(wanted) {
  const found = [];
  for (const { engine, provider, accelerator } of engineChoices) {
    if (wanted !== undefined && !wanted.includes(engine) && !wanted.includes(`${engine}/${provider}`)) continue;
    try {
      const opened = await openEngine({ engine, provider });
      for (const precision of opened.precisions) found.push({ engine, provider, precision, accelerator });
      await opened[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof SlidelightError)) throw error;
    }
  }
  return found;
}

const nameOf = ({ engine, provider, precision }) => `${engine} ${provider} ${precision}`;

async function compare(contenders, { base, method, side, rounds, device, withPyTorch, eager }, peaks) {
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-"));
  const children = [];
  try {
    const runners = new Map();
    /** Of our engines; PyTorch's processes do not tell. */
    const details = new Map();
    for (const contender of contenders) {
      const child = startChild({ ...contender, base, method, side });
      children.push(child);
      const ready = await child.ask();
      if (ready.error !== undefined) process.stdout.write(`  ${nameOf(contender)}: ${ready.error}\n`);
      else {
        runners.set(nameOf(contender), () => child.ask("run"));
        details.set(nameOf(contender), { child, gigaflop: ready.gigaflop });
      }
      if (peaks !== undefined && ready.error === undefined) {
        const peak = await child.ask("peak");
        if (peak.error === undefined) peaks[nameOf(contender)] = { ...peak, best: Math.max(...Object.values(peak)) };
      }
    }
    if (withPyTorch) {
      const pixels = Buffer.alloc(side * side * 3, 0).map((_, at) => (at * 37) % 251);
      const image = { pixels, width: side, height: side, tile: side };
      const setup = await prepare(folder, { network: networkOf(base), ...image, device });
      for (const compiled of eager ? [false] : [false, true]) {
        const process = await startPython(setup);
        children.push(process);
        for (const variant of theirs[device][method].filter((name) => name.endsWith("compiled") === compiled)) {
          runners.set(`PyTorch ${variant}`, () => process.ask(variant, limitMs));
        }
      }
    }
    const { seconds, errors } = await takeTurns(runners, rounds);
    for (const [name, error] of errors) process.stdout.write(`  ${name} does not run here: ${error}\n`);
    const rows = [];
    for (const [name, times] of seconds) {
      const { child, gigaflop } = details.get(name) ?? {};
      const typical = median(times);
      rows.push({
        what: name,
        "MP/s": side ** 2 / 1e6 / typical,
        best: side ** 2 / 1e6 / Math.min(...times),
        worst: side ** 2 / 1e6 / Math.max(...times),
        "GFLOP/s": gigaflop === undefined ? undefined : gigaflop / typical,
        ...(child === undefined ? { GB: undefined } : await memoryOf(child)),
      });
    }
    return rows;
  } finally {
    for (const child of children) await child[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of the process, and of the device that it computes on where that has its own. */
async function memoryOf(child) {
  const { gigabytes, deviceGigabytes } = await child.ask("memory");
  return { GB: deviceGigabytes ?? gigabytes };
}

function startChild(request) {
  const child = spawn(process.execPath, [fileURLToPath(new URL("engine-child.mjs", import.meta.url))], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${JSON.stringify(request)}\n`);
  return {
    ask: async (text) => {
      if (text !== undefined) child.stdin.write(`${text}\n`);
      const { value, done } = await lines.next();
      return done === true ? { error: "its process ended early" } : JSON.parse(value);
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
