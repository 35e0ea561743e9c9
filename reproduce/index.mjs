// npm run reproduce: trains and judges what docs/evidence.md compares, and makes its tables and figures. What is done already stays.
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { withMarked } from "../scripts/marked.mjs";
import { main, root, say } from "../scripts/setup.mjs";
import { bccd } from "./bccd.mjs";
import { chart } from "./chart.mjs";
import { drawMaps } from "./maps.mjs";
import { summarise } from "./summary.mjs";
import { pictureText, tables } from "./tables.mjs";
import { tissue } from "./tissue.mjs";
import { runTrial, write } from "./trial.mjs";
import { wbc } from "./wbc.mjs";

const studies = { tissue, wbc, bccd };
const usage = `npm run reproduce -- [study...] [options]
  study                  ${Object.keys(studies).join(", ")} (all whose data is there)
  --data <folder>        where wbc/ and bccd/ lie; tissue is generated (../shared/data)
  --out <folder>         trained networks, results, tables and figures (reproduce-out)
  --jobs <n>             trainings at once, a thread each (one for each core)
  --repeats <n>          the first n seeds or folds (all)
  --networks <names>     these alone (all)
  --docs                 put tables and figures into docs/
  --quick                some images, one epoch: shows that it runs, not what holds`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string", default: join(root, "..", "shared", "data") },
    out: { type: "string", default: join(root, "reproduce-out") },
    jobs: { type: "string", default: String(availableParallelism()) },
    repeats: { type: "string", default: "100" },
    networks: { type: "string" },
    docs: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(studies, name));
if (values.help || unknown.length > 0) {
  process.stderr.write(`${unknown.length > 0 ? `There is no study "${unknown.join('", "')}".\n` : ""}${usage}\n`);
  process.exit(values.help ? 0 : 2);
}
const out = resolve(values.out);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}; the same command goes on`)));

await main(async () => {
  const done = [];
  for (const study of Object.values(studies)) {
    if (positionals.length > 0 && !positionals.includes(study.name)) continue;
    const needed = study.needs?.(values.data);
    if (needed === undefined || existsSync(needed)) done.push(await runStudy(study));
    else say(`${study.name} is left out: there is no ${needed}. Tell where the data is with --data.`);
  }
  if (done.length > 0) await present(done);
  return 0;
});

/** Every network of a study, repeat by repeat, so that what is there first is a whole comparison. */
async function runStudy(study) {
  const folder = join(out, study.name);
  const repeats = (await study.prepare({ folder, data: values.data, quick: values.quick })).slice(
    0,
    Number(values.repeats),
  );
  const wanted = values.networks?.split(",");
  const networks = study.networks.filter(({ name }) => wanted === undefined || wanted.includes(name));
  const judged = ["--target", "contrast", "--sample", "0", "--pictures", "0", "--threads", "1", "--quiet"];
  const trials = repeats.flatMap((repeat) =>
    networks.map((network) => ({
      network,
      repeat,
      folder: join(folder, network.name, repeat.name),
      training: [...repeat.training, ...network.options, ...(values.quick ? ["--epochs", "1"] : []), "--threads", "1"],
      judging: Object.fromEntries(Object.entries(repeat.judging).map(([kind, args]) => [kind, [...args, ...judged]])),
    })),
  );
  say(`${study.title}: ${networks.length} networks, ${repeats.length} ${study.repeats}, ${values.jobs} at once`);
  const begun = performance.now();
  const documents = new Map();
  let [finished, computed] = [0, 0];
  await atOnce(Number(values.jobs), trials, async (trial) => {
    const result = await runTrial({ ...trial, signal: stop.signal });
    documents.set(trial, result.evaluations);
    finished += 1;
    if (!result.computed) return;
    computed += 1;
    const left = ((performance.now() - begun) / 60_000 / computed) * (trials.length - finished);
    const accuracy = Object.values(result.evaluations)[0].accuracy.toFixed(3);
    say(
      `${finished} of ${trials.length}: ${trial.network.name}, ${trial.repeat.name}: accuracy ${accuracy}; ${left.toFixed(0)} min left`,
    );
  });
  const reports = study.reports.map((told) => ({
    ...told,
    summaries: networks.map((network) =>
      summarise(
        network,
        trials.filter((trial) => trial.network === network).map((trial) => documents.get(trial)[told.kind]),
      ),
    ),
  }));
  return { study, folder, repeats, reports };
}

/** Runs the work on all items, so many at a time; the first failure ends the others' queue. */
async function atOnce(count, items, work) {
  const waiting = items.values();
  const failures = [];
  const worker = async () => {
    for (const item of waiting) {
      if (failures.length > 0 || stop.signal.aborted) return;
      await work(item).catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, count) }, worker));
  if (stop.signal.aborted) throw stop.signal.reason;
  if (failures.length > 0) throw failures[0];
}

/** Tables, figures and numbers, on standard output and in files. */
async function present(results) {
  const docs = values.docs ? join(root, "docs") : out;
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  const all = { machine, quick: values.quick, studies: {} };
  const page = join(root, "docs", "evidence.md");
  let text = values.docs ? readFileSync(page, "utf8") : "";
  for (const { study, folder, repeats, reports } of results) {
    all.studies[study.name] = reports;
    const picture = `evidence-${study.name}.jpg`;
    const [first] = reports;
    const columns = await drawMaps({
      folder,
      repeats,
      report: first,
      picture: join(docs, picture),
      signal: stop.signal,
    });
    const told = `${tables(study, reports)}\n\n${pictureText(picture, { columns, study, repeat: repeats[0].name })}`;
    process.stdout.write(`\n${told}\n`);
    text = values.docs
      ? withMarked(text, { command: "reproduce", name: study.name, content: told })
      : `${text}${told}\n\n`;
  }
  write(join(docs, "evidence.svg"), chart(results.flatMap(({ reports }) => reports)));
  write(join(docs, "evidence.json"), `${JSON.stringify(all, undefined, 1)}\n`);
  write(values.docs ? page : join(docs, "evidence.md"), text);
  say(
    `tables and figures are in ${relative(process.cwd(), docs) || "."}: evidence.md, evidence.svg, evidence.json, evidence-*.jpg`,
  );
}
