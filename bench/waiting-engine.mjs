import { setTimeout } from "node:timers/promises";
import { newTensor } from "../packages/core/dist/engine/new-tensor.js";
import { topologicalOrder } from "../packages/core/dist/graph/graph.js";
import { sizeOf } from "../packages/core/dist/graph/tensor.js";

/** Largest output that is zeros in any case: statistics, which must be numbers. */
const statisticElements = 2 ** 16;

function outputOf({ type, shape }, { writesMaps }) {
  const tensor = newTensor(type, shape);
  if (writesMaps || sizeOf(shape) <= statisticElements) new Uint8Array(tensor.data.buffer).fill(0);
  return tensor;
}

/** What makes it an accelerator's: tiles are alike, and chosen for its memory. */
export const asAccelerator = { alikeTiles: true, memoryBytes: 80e9 };

/**
 * An engine that takes a core of no machine: a run lasts as long as its largest output, the map of a tile's core, would take
 * at this speed, and gives zeros. One run after the other, as on an accelerator; a late timer delays none but its own.
 * @param options.writesMaps whether maps are zeros too, on the main thread, or whatever was in their memory. Default: true
 */
export function openWaitingEngine({ pixelsPerSecond, writesMaps = true }) {
  let freeAt = 0;
  const run = async (graph, { inputs, signal }) => {
    const outputs = Object.entries(graph.outputs);
    const busySeconds = Math.max(...outputs.map(([, { shape }]) => sizeOf(shape))) / pixelsPerSecond;
    freeAt = Math.max(freeAt, performance.now()) + busySeconds * 1000;
    await setTimeout(Math.max(0, freeAt - performance.now()), undefined, { signal }).catch((error) => {
      throw signal?.reason ?? error;
    });
    const made = outputs.map(([name, output]) => [name, outputOf(output, { writesMaps })]);
    return { outputs: Object.fromEntries(made), spent: inputs, busySeconds };
  };
  return {
    name: "waiting",
    provider: "clock",
    version: "1",
    device: `${pixelsPerSecond} pixels a second`,
    precisions: ["float32"],
    widest: "float64",
    keepsOrder: true,
    composition: { channelMultiple: 1 },
    alikeTiles: false,
    resizes: () => false,
    overhead: 1,
    compile: async (graph) => ({
      inputs: topologicalOrder(Object.values(graph.outputs)).flatMap(({ op, name }) => (op === "Input" ? [name] : [])),
      run: (inputs, { signal } = {}) => run(graph, { inputs, signal }),
      [Symbol.asyncDispose]: async () => undefined,
    }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
