// A process that holds one engine with one program, for bench/engines.mjs: memory is its own. Asked line by line.
import { execFile } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { chooseEngine, openEngine } from "../packages/core/dist/index.js";
import { planExplanation } from "../packages/core/dist/explain/plan.js";
import { sweepOutputs, sweepRegions, tileProgram } from "../packages/core/dist/explain/tile-program.js";
import { cast, constant, conv, input, matMul, reduceSum } from "../packages/core/dist/graph/build.js";
import { flops } from "../packages/core/dist/graph/flops.js";
import { foldConstants } from "../packages/core/dist/graph/fold-constants.js";
import { graphOf } from "../packages/core/dist/graph/graph.js";
import { expandTo } from "../packages/core/dist/graph/gradient.js";
import { optimise } from "../packages/core/dist/graph/optimise.js";
import { prepareRestriction } from "../packages/core/dist/graph/restrict.js";
import { sizeOf } from "../packages/core/dist/graph/tensor.js";
import { giveBuffers } from "../packages/core/dist/io/used-buffers.js";
import { networkFor } from "../packages/core/dist/model/network.js";
import { peakGigabytes } from "./measure.mjs";
import { networkOf } from "./subjects.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const reply = (document) => process.stdout.write(`${JSON.stringify(document)}\n`);

/** The program of an inner tile of a large image, as explaining it compiles it. */
function tileGraph({ base, method, side, precision }, { composition }) {
  const network = networkFor(
    networkOf(base).model,
    { width: 16_384, height: 16_384 },
    { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] },
  );
  const explanation = planExplanation(network, { method, target: { kind: "class", index: 1 }, classes: ["0", "1"] });
  const sweep = explanation.sweeps.at(-1);
  const core = { start: 4096, end: 4096 + side };
  const { outputs } = foldConstants(graphOf(sweepOutputs(sweep)));
  const plan = prepareRestriction(outputs).plan(sweepRegions(sweep, { y: core, x: core }));
  return optimise(tileProgram(sweep, plan.build(), { samples: "uint16" }), {
    foldScales: precision === "float32",
    composition,
  });
}

/**
 * What is nearest to the machine's peak: many multiplications, few values. Inputs are small and outputs reduced, so that little is moved;
 * an accelerator gets more of the same in one run, which has to be long beside its start.
 */
const peaks = {
  convolution: ({ accelerator }) => {
    const [side, layers] = accelerator ? [512, 16] : [256, 1];
    const weight = constant(weights([128, 128, 3, 3]));
    const pads = { top: 1, left: 1, bottom: 1, right: 1 };
    let x = spread(side, [1, 128, side, side], [1, 1, side, side]);
    for (let layer = 0; layer < layers; layer += 1) x = conv(x, weight, undefined, { pads });
    return graphOf({ y: reduceSum(x, [2, 3]) });
  },
  "matrix product": ({ accelerator }) => {
    const [side, layers] = accelerator ? [4096, 8] : [2048, 1];
    const weight = constant(weights([side, side]));
    let x = spread(side, [side, side], [side, side]);
    for (let layer = 0; layer < layers; layer += 1) x = matMul(x, weight);
    return graphOf({ y: reduceSum(x, [1]) });
  },
};

/** Bytes that are given to the engine, as many numbers as `shape` holds. */
function spread(side, shape, given) {
  return expandTo(cast(input("x", { type: "uint8", shape: given }), "float32"), shape);
}

/** Values around 0 whose products stay as large as they are. */
function weights(shape) {
  const data = new Float32Array(sizeOf(shape));
  const scale = Math.sqrt(12 / (data.length / shape[0]));
  for (let at = 0; at < data.length; at += 1) data[at] = (((at * 37) % 101) / 101 - 0.5) * scale;
  return { type: "float32", shape, data };
}

const arrays = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

/** Values that repeat, and are no powers of two: some processors are quicker with zeros. */
function inputsOf(graph) {
  return Object.fromEntries(
    graph.inputs.map(({ name, type, shape }) => {
      const data = new arrays[type](sizeOf(shape));
      for (let at = 0; at < data.length; at += 1)
        data[at] = type === "float32" ? ((at * 37) % 101) / 101 : (at * 37) % 251;
      return [name, { type, shape, data }];
    }),
  );
}

async function peakOf(engine, { precision, accelerator }, runs) {
  const found = {};
  for (const [name, make] of Object.entries(peaks)) {
    const fixed = make({ accelerator });
    const program = await engine.compile(fixed, { precision, frequent: true });
    const seconds = [];
    for (let run = 0; run <= runs; run += 1) {
      const { busySeconds } = await program.run(inputsOf(fixed));
      if (run > 0) seconds.push(busySeconds);
    }
    await program[Symbol.asyncDispose]();
    found[name] = flops(fixed) / Math.min(...seconds) / 1e9;
  }
  return found;
}

/** Of this process, and of that in which the engine computes, where that is another one. */
function hostGigabytes(engine) {
  const own = peakGigabytes();
  const computing = engine.processId?.();
  return own === undefined || computing === undefined ? own : own + peakGigabytes(computing);
}

/** Of the NVIDIA GPU, as the process that computes holds it; undefined where it holds none. */
async function deviceGigabytes(engine) {
  const computing = engine.processId?.() ?? process.pid;
  try {
    const query = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"];
    const { stdout } = await promisify(execFile)("nvidia-smi", query);
    const own = stdout.split("\n").find((line) => Number(line.split(",")[0]) === computing);
    return own === undefined ? undefined : (Number(own.split(",")[1]) * 2 ** 20) / 1e9;
  } catch {
    return undefined;
  }
}

const request = JSON.parse((await lines.next()).value);
const { engine: name, provider, precision } = request;
const engine = name === "auto" ? await chooseEngine() : await openEngine({ engine: name, provider });
const graph = tileGraph(request, engine);
const program = await engine.compile(graph, { precision, frequent: true });
reply({ gigaflop: flops(graph) / 1e9 });
for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
  if (line.value === "run") {
    const { outputs, spent = {}, busySeconds } = await program.run(inputsOf(graph));
    giveBuffers([outputs, spent].flatMap(Object.values));
    reply({ seconds: busySeconds });
  } else if (line.value === "memory")
    reply({ gigabytes: hostGigabytes(engine), deviceGigabytes: await deviceGigabytes(engine) });
  else reply(await peakOf(engine, request, 5));
}
await program[Symbol.asyncDispose]();
await engine[Symbol.asyncDispose]();
