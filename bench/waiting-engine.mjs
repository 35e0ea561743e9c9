import { setTimeout } from "node:timers/promises";
import { newTensor } from "../packages/core/dist/engine/new-tensor.js";
import { topologicalOrder } from "../packages/core/dist/graph/graph.js";
import { sizeOf } from "../packages/core/dist/graph/tensor.js";

function zeros([name, { type, shape }]) {
  const tensor = newTensor(type, shape);
  new Uint8Array(tensor.data.buffer).fill(0);
  return [name, tensor];
}

/**
 * An engine that takes a core of no machine: a run lasts as long as its largest output, the map of a tile's core, would take
 * at this speed, and gives zeros. One run after the other, as on an accelerator; a late timer delays none but its own.
 */
export function openWaitingEngine({ pixelsPerSecond }) {
  let freeAt = 0;
  const run = async (graph, { inputs, signal }) => {
    const outputs = Object.entries(graph.outputs);
    const busySeconds = Math.max(...outputs.map(([, { shape }]) => sizeOf(shape))) / pixelsPerSecond;
    freeAt = Math.max(freeAt, performance.now()) + busySeconds * 1000;
    await setTimeout(Math.max(0, freeAt - performance.now()), undefined, { signal }).catch((error) => {
      throw signal?.reason ?? error;
    });
    return { outputs: Object.fromEntries(outputs.map(zeros)), spent: inputs, busySeconds };
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
