// npm run bench -- [explain|archive|host|work|passes|engines|pytorch|queue|shards|train …] [--rounds n] [--side px] [--slides n] [--base 16,32]
//   [--engines a,b] [--threads n] [--keys n] [--shard-seconds s] [--json file] [--docs] [--eager] [--mixed]
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { benchArchive } from "./archive.mjs";
import { benchEngines } from "./engines.mjs";
import { benchExplain } from "./explain.mjs";
import { benchHost } from "./host.mjs";
import { benchPasses } from "./passes.mjs";
import { benchPytorch } from "./pytorch.mjs";
import { benchQueue } from "./queue.mjs";
import { benchShards } from "./shards.mjs";
import { benchTrain } from "./train.mjs";
import { benchWork } from "./work.mjs";

const benches = {
  work: benchWork,
  passes: benchPasses,
  engines: benchEngines,
  explain: benchExplain,
  archive: benchArchive,
  host: benchHost,
  pytorch: benchPytorch,
  queue: benchQueue,
  shards: benchShards,
  train: benchTrain,
};
const defaults = {
  explain: { rounds: 3, side: 4096 },
  archive: { rounds: 2, slides: 8 },
  host: { side: 2048, slides: 16 },
  engines: { rounds: 3, bases: [16, 32, 64] },
  pytorch: { rounds: 3, side: 2048 },
  passes: { rounds: 5, side: 512 },
  queue: { rounds: 3, keys: 100_000, many: 1_000_000 },
  shards: { rounds: 3, side: 8192, shardSeconds: 20, waitedSeconds: 6 },
  train: { rounds: 10, bases: [8, 16] },
  work: {},
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    side: { type: "string" },
    slides: { type: "string" },
    base: { type: "string" },
    engines: { type: "string" },
    threads: { type: "string" },
    keys: { type: "string" },
    "shard-seconds": { type: "string" },
    json: { type: "string" },
    docs: { type: "boolean", default: false },
    eager: { type: "boolean", default: false },
    mixed: { type: "boolean", default: false },
  },
});
const unknown = positionals.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) {
  process.stderr.write(`There is no benchmark "${unknown}": expected ${Object.keys(benches).join(", ")}.\n`);
  process.exit(2);
}
const report = {
  machine: { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version },
  date: new Date().toISOString(),
};
for (const name of positionals.length === 0 ? Object.keys(benches) : positionals) {
  const options = { ...defaults[name] };
  if (values.rounds !== undefined) options.rounds = Number(values.rounds);
  if (values.side !== undefined) options.side = Number(values.side);
  if (values.slides !== undefined) options.slides = Number(values.slides);
  if (values.base !== undefined) options.bases = values.base.split(",").map(Number);
  if (values.engines !== undefined) options.engines = values.engines.split(",");
  if (values.threads !== undefined) options.threads = Number(values.threads);
  if (values.keys !== undefined) Object.assign(options, { keys: Number(values.keys), many: 10 * Number(values.keys) });
  if (values["shard-seconds"] !== undefined) options.shardSeconds = Number(values["shard-seconds"]);
  report[name] = await benches[name]({ ...options, docs: values.docs, eager: values.eager, mixed: values.mixed });
}
if (values.json === undefined) process.stdout.write(`\n${JSON.stringify(report)}\n`);
else await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
