import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue } from "../apps/producer/dist/open-queue.js";
import { explainImage, openSpeedMeter, openStore } from "../packages/core/dist/index.js";
import { sharedParts } from "./explain.mjs";
import { median, megapixels, printTable, timed, withResources } from "./measure.mjs";
import { startRedis } from "./queue-server.mjs";
import { outputHashes, settings, throughQueue, writeModel } from "./shard-queue.mjs";
import { generatedSlide, model as network } from "./subjects.mjs";
import { startWorker } from "./worker-process.mjs";

/** At most, of an image in shards over one in one piece. */
const goal = 0.1;
const command = fileURLToPath(new URL("../apps/cli/bin/slidelight.js", import.meta.url));

/**
 * One slide through Redis and one worker, in shards, beside `explainImage` in this process: the same engine, tiles and bytes.
 * Both have done the slide once before. Rounds alternate; which side goes first too.
 */
export async function benchShardOverhead({ rounds, side, shardSeconds }) {
  const image = await generatedSlide(side);
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-shards-"));
  try {
    const model = await writeModel(join(folder, "unet.onnx"), network);
    const openers = {
      redis: () => startRedis(),
      open: ({ redis }) => openQueue({ redis: redis.url }),
      worker: ({ redis }) => {
        const args = ["worker", "--redis", redis.url, "--scratch", join(folder, "worker")];
        return startWorker(command, [...args, "--shard-seconds", String(shardSeconds)]);
      },
      ...sharedParts,
    };
    return await withResources(openers, async ({ open, worker, ...shared }) => {
      const explain = explainer(shared, { model, folder });
      const ways = {
        explain: (out) => explain(image, out),
        shards: (out) => inShards(worker, () => throughQueue(open, { image, model, out, settings })),
      };
      return compare(ways, { folder, rounds, image });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(ways, { folder, rounds, image }) {
  const rows = [];
  for (let round = 0; round <= rounds; round += 1) {
    const order = round % 2 === 0 ? ["explain", "shards"] : ["shards", "explain"];
    const found = {};
    const hashes = new Set();
    for (const name of order) {
      const out = join(folder, `${name}-${round}`);
      found[name] = await ways[name](out);
      hashes.add(await outputHashes(out));
    }
    if (hashes.size > 1) throw new Error(`The outputs differ:\n${[...hashes].join("\n\n")}`);
    const { explain, shards } = found;
    // Round 0 warms up.
    if (round === 0) continue;
    const { lasted, computed, shards: count, engine } = shards;
    if (count < 2) {
      process.stdout.write(
        `  round ${round}: not divided, ${shards.seconds.toFixed(1)} s; take fewer --shard-seconds\n`,
      );
      continue;
    }
    rows.push({
      "explain s": explain.seconds,
      "shards s": shards.seconds,
      ratio: shards.seconds / explain.seconds,
      "engine s": explain.engine,
      "and s": engine,
      "beside it s": explain.seconds - explain.engine,
      "and beside it s": shards.seconds - engine,
      "CPU s": explain.cpu,
      "and CPU s": shards.cpu,
      shards: count,
      "s a shard": computed / count,
      "fixed s a shard": (lasted - engine) / count,
      "between two s": (lasted - computed) / count,
      "before them s": shards.before,
      "after them s": shards.after,
    });
  }
  if (rows.length === 0) throw new Error("The slide was never divided.");
  const overhead = median(rows.map(({ ratio }) => ratio)) - 1;
  // The engine's work is the same, but other work on the machine stretches it, now of one side, now of the other.
  const besideEngine = median(rows.map((row) => (row["and beside it s"] - row["beside it s"]) / row["explain s"]));
  const ofCpu = median(rows.map((row) => row["and CPU s"] / row["CPU s"])) - 1;
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  printTable(`One slide of ${megapixels(image).toFixed(0)} MP in shards, one worker, beside explain`, rows);
  process.stdout.write(
    `  overhead in time ${percent(overhead)} (goal: at most ${percent(goal)}), beside the engine ${percent(besideEngine)}, in CPU time ${percent(ofCpu)}\n`,
  );
  return { goal, overhead, besideEngine, ofCpu, rows };
}

/** Explains images in this process, with all that a worker keeps between images. */
function explainer({ engine, programs, finisher }, { model, folder }) {
  const speeds = openSpeedMeter();
  return async (image, out) => {
    let busySeconds = 0;
    const observe = (event) => {
      if (event.kind === "tile-done") busySeconds += event.busySeconds;
    };
    const shared = { engine, programs, finisher, speeds, model: model.model, observe };
    const resources = { ...shared, output: openStore(out), scratch: join(folder, "explain") };
    const before = process.cpuUsage();
    const { seconds } = await timed(() => explainImage(image, settings, resources));
    const { user, system } = process.cpuUsage(before);
    return { seconds, engine: busySeconds, cpu: (user + system) / 1e6 };
  };
}

/** Where the seconds of a job go, by the worker's log: before its first shard, in and between shards, after the last. */
async function inShards(worker, work) {
  const from = worker.lines.length;
  const before = await worker.seconds();
  const startMs = Date.now();
  const seconds = await work();
  const after = await worker.seconds();
  const lines = worker.lines.slice(from);
  const of = (message) => lines.filter(({ msg }) => msg === message);
  const done = of("shard done");
  const first = Date.parse(of("shard started")[0]?.time);
  const last = Date.parse(done.at(-1)?.time);
  return {
    seconds,
    shards: done.length,
    engine: after.engine - before.engine,
    cpu: after.cpu - before.cpu,
    before: (first - startMs) / 1000,
    lasted: (last - first) / 1000,
    computed: done.reduce((sum, line) => sum + line.seconds, 0),
    after: seconds - (last - startMs) / 1000,
  };
}
