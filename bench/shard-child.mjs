// A worker whose engine only waits, for bench/shard-scaling.mjs. Arguments: pixels a second, then the worker command's own.
import { parseArgs } from "node:util";
import { loadWorkerConfig } from "../apps/worker/dist/config.js";
import { runWorker } from "../apps/worker/dist/run-worker.js";
import { openWaitingEngine } from "./waiting-engine.mjs";

const [speed, ...args] = process.argv.slice(2);
const names = ["redis", "scratch", "shard-seconds", "concurrency", "port"];
const options = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
const { "shard-seconds": shardSeconds, ...values } = parseArgs({ args, options }).values;
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
const { stdin, stdout, stderr } = process;
await runWorker(
  loadWorkerConfig({}, { ...values, shardSeconds }),
  { stdin, stdout, stderr, environment: {}, folder: process.cwd(), signal: stopping.signal },
  { openEngine: async () => openWaitingEngine({ pixelsPerSecond: Number(speed) }) },
);
