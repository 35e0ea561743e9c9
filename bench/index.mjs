// npm run bench -- [explain|work|pytorch …] [--rounds n] [--side px] [--json file]
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { benchExplain } from "./explain.mjs";
import { benchPytorch } from "./pytorch.mjs";
import { benchWork } from "./work.mjs";

const benches = { work: benchWork, explain: benchExplain, pytorch: benchPytorch };
const defaults = { explain: { rounds: 3, side: 4096 }, pytorch: { rounds: 3, side: 2048 }, work: {} };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, side: { type: "string" }, json: { type: "string" } },
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
  report[name] = await benches[name](options);
}
if (values.json === undefined) process.stdout.write(`\n${JSON.stringify(report)}\n`);
else await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
