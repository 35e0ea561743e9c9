import { planExplanation } from "../packages/core/dist/explain/plan.js";
import { sweepOutputs, sweepRegions, tileProgram } from "../packages/core/dist/explain/tile-program.js";
import { regionOf } from "../packages/core/dist/geometry/rectangle.js";
import { coreOf, tileGrid } from "../packages/core/dist/geometry/tile-grid.js";
import { slice } from "../packages/core/dist/graph/build.js";
import { composeConvolutions } from "../packages/core/dist/graph/compose-convolutions.js";
import { flops } from "../packages/core/dist/graph/flops.js";
import { foldConstants } from "../packages/core/dist/graph/fold-constants.js";
import { foldScales } from "../packages/core/dist/graph/fold-scales.js";
import { graphOf, topologicalOrder } from "../packages/core/dist/graph/graph.js";
import { keepOutputs } from "../packages/core/dist/graph/keep-outputs.js";
import { peakActivationBytes } from "../packages/core/dist/graph/memory.js";
import { recompute } from "../packages/core/dist/graph/recompute.js";
import { prepareRestriction } from "../packages/core/dist/graph/restrict.js";
import { shareCommon } from "../packages/core/dist/graph/share-common.js";
import { simplify } from "../packages/core/dist/graph/simplify.js";
import { networkFor } from "../packages/core/dist/model/network.js";
import { median, printTable, withResource } from "./measure.mjs";
import { model, networkOf } from "./subjects.mjs";

/** Large enough that a tile lies away from the borders. */
const image = { width: 16384, height: 16384 };
const normalisation = { samples: "uint8", mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
const subjects = [
  { name: "grad-cam", method: "grad-cam" },
  { name: "grad-cam, repeated cells", method: "grad-cam", upsampling: "nearest" },
  { name: "layer-cam, up1", method: "layer-cam", layer: "up1" },
  { name: "saliency", method: "saliency" },
];

/**
 * What each pass makes of an inner tile's program, on top of those above it: nodes, floating-point operations, values alive
 * at once, and the time of the engines that are present, after over before.
 */
export async function benchPasses({ rounds, side }) {
  const engines = await presentEngines();
  try {
    const rows = [];
    for (const subject of subjects) {
      for (const { pass, before, after } of stepsOf(subject, side)) {
        const row = { method: subject.name, pass, ...compared(before, after) };
        for (const engine of engines) row[`${engine.name} time`] = await timeRatio(engine, { before, after, rounds });
        rows.push(row);
      }
    }
    rows.push(sharedMethods(side));
    printTable(`Passes on an inner tile of ${side} px: before > after, and the engine's time after / before`, rows);
    return { side, rows };
  } finally {
    for (const engine of engines) await engine[Symbol.asyncDispose]();
  }
}

function modelOf({ upsampling }) {
  return networkOf(16, { upsampling }).model;
}

function planned(network, { method, layer }) {
  return planExplanation(network, {
    method,
    target: { kind: "class", index: 1 },
    classes: ["normal", "tumour"],
    ...(layer === undefined ? {} : { layer }),
  }).sweeps.at(-1);
}

function innerCore(network, side) {
  const grid = tileGrid(image, { tile: side, stride: network.stride });
  return coreOf(grid, Math.floor(grid.rows / 2) * grid.columns + Math.floor(grid.columns / 2));
}

function stepsOf(subject, side) {
  const network = networkFor(modelOf(subject), image, normalisation);
  const sweep = planned(network, subject);
  const core = regionOf(innerCore(network, side));
  const cut = (options) => {
    const plan = prepareRestriction(sweepOutputs(sweep), options).plan(sweepRegions(sweep, core));
    return { plan, program: tileProgram(sweep, plan.build(), { samples: "uint16" }) };
  };
  const { plan, program } = cut({ separateChannels: false });
  const pixels = plan.inputRegions[network.image.name];
  const whole = foldConstants(wholeProgram(subject, { pixels, side }));
  const folded = foldConstants(program);
  const separated = foldConstants(cut({}).program);
  const simple = simplify(separated);
  const scaled = foldScales(simple);
  const shared = shareCommon(scaled);
  const composed = composeConvolutions(shared);
  const map = keepOutputs(
    shared,
    Object.keys(shared.outputs).filter((name) => name.startsWith("map")),
  );
  const memoryBytes = 0.75 * peakActivationBytes(shared);
  return [
    { pass: "needed regions", before: whole, after: folded },
    { pass: "constants folded", before: program, after: folded },
    { pass: "channels separated", before: folded, after: separated },
    { pass: "simplified", before: separated, after: simple },
    { pass: "scales folded", before: simple, after: scaled },
    { pass: "common values shared", before: scaled, after: shared },
    { pass: "convolutions composed", before: shared, after: composed },
    { pass: "statistics dropped", before: shared, after: map },
    { pass: "recomputed (75 % of the memory)", before: shared, after: recompute(shared, { memoryBytes }) },
  ];
}

/** The same tile without needed regions: an image of the input's size, of which the core is taken at the end. */
function wholeProgram(subject, { pixels, side }) {
  const size = { width: pixels.x.end - pixels.x.start, height: pixels.y.end - pixels.y.start };
  const network = networkFor(modelOf(subject), size, normalisation);
  const sweep = planned(network, subject);
  const start = Math.floor((size.width - side) / 2 / network.stride) * network.stride;
  const everything = sweepRegions(sweep, regionOf({ x: 0, y: 0, ...size }));
  const whole = prepareRestriction(sweepOutputs(sweep), { separateChannels: false }).plan(everything).build();
  const core = sweepRegions(sweep, regionOf({ x: start, y: start, width: side, height: side }));
  const outputs = Object.entries(whole.outputs).map(([name, node]) => {
    const { y, x } = core[name];
    return [name, cropped(node, { y, x })];
  });
  return tileProgram(sweep, graphOf(Object.fromEntries(outputs)), { samples: "uint16" });
}

function cropped(node, { y, x }) {
  const [n, channels] = node.shape;
  const sizes = [n, channels, y.end - y.start, x.end - x.start];
  return slice(node, { starts: [0, 0, y.start, x.start], sizes });
}

/** Three methods on one layer in one program: what they have in common is computed once. */
function sharedMethods(side) {
  const network = networkFor(model, image, normalisation);
  const core = regionOf(innerCore(network, side));
  const outputs = {};
  const regions = {};
  const total = { nodes: 0, flop: 0 };
  for (const method of ["grad-cam", "hires-cam", "layer-cam"]) {
    const sweep = planned(network, { method, layer: "up1" });
    const own = sweepRegions(sweep, core);
    for (const [name, node] of Object.entries(sweepOutputs(sweep))) {
      outputs[`${method}.${name}`] = node;
      regions[`${method}.${name}`] = own[name];
    }
    const alone = foldConstants(prepareRestriction(sweepOutputs(sweep)).plan(own).build());
    total.nodes += nodeCount(alone);
    total.flop += flops(alone);
  }
  const together = prepareRestriction(shareCommon(graphOf(outputs)).outputs)
    .plan(regions)
    .build();
  const shared = shareCommon(foldConstants(together));
  return {
    method: "grad-cam + hires-cam + layer-cam, up1",
    pass: "common values shared, one program for three",
    nodes: `${total.nodes} > ${nodeCount(shared)}`,
    GFLOP: `${giga(total.flop)} > ${giga(flops(shared))}`,
  };
}

function nodeCount(graph) {
  return topologicalOrder(Object.values(graph.outputs)).filter(({ op }) => op !== "Constant").length;
}

function giga(value) {
  return (value / 1e9).toFixed(2);
}

function compared(before, after) {
  const both = (of) => `${of(before)} > ${of(after)}`;
  return {
    nodes: both(nodeCount),
    GFLOP: both((graph) => giga(flops(graph))),
    "peak MB": both((graph) => (peakActivationBytes(graph) / 1e6).toFixed(0)),
  };
}

/** ONNX Runtime, and OpenVINO where it is there. */
async function presentEngines() {
  const engines = [];
  for (const [folder, open] of [
    ["onnxruntime", "openOnnxRuntimeEngine"],
    ["openvino", "openOpenVinoEngine"],
  ]) {
    try {
      const module = await import(`../packages/core/dist/engine/${folder}/index.js`);
      engines.push(await module[open]());
    } catch (error) {
      process.stderr.write(`Without ${folder}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return engines;
}

/** In turns, so that whatever else the machine does meets both; the first run of each warms it up. */
async function timeRatio(engine, { before, after, rounds }) {
  return withResource(await engine.compile(before, { label: "before", frequent: true }), async (first) =>
    withResource(await engine.compile(after, { label: "after", frequent: true }), async (second) => {
      const ratios = [];
      for (let round = 0; round <= rounds; round += 1) {
        const one = await first.run(inputsOf(before));
        const other = await second.run(inputsOf(after));
        if (round > 0) ratios.push(other.busySeconds / one.busySeconds);
      }
      return median(ratios);
    }),
  );
}

function inputsOf(graph) {
  return Object.fromEntries(
    graph.inputs.map(({ name, shape, type }) => {
      const length = shape.reduce((product, extent) => product * extent, 1);
      const data =
        type === "uint8"
          ? Uint8Array.from({ length }, (_, index) => (Math.imul(index + 1, 2654435761) >>> 24) & 255)
          : Float32Array.from({ length }, (_, index) => Math.sin(index));
      return [name, { type, shape, data }];
    }),
  );
}
