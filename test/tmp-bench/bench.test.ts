import { appendFileSync } from "node:fs";
import { test } from "vitest";
import { InferenceSession, Tensor } from "onnxruntime-node";
import * as build from "../../packages/core/src/graph/build.ts";
import { graphOf } from "../../packages/core/src/graph/graph.ts";
import { encodeOnnx } from "../../packages/core/src/format/onnx/encode.ts";
import { tensorOf } from "../../packages/core/src/graph/tensor.ts";
const N = 1024, C = 16;
const x = build.input("x", { type: "float32", shape: [1, C, N, N] });
const g = build.input("g", { type: "float32", shape: [1, C, N / 2, N / 2] });
const g3 = build.input("g", { type: "float32", shape: [1, C, N / 2, N / 2] });
const h = build.input("h", { type: "float32", shape: [1, C, N, N] });
const w = build.constant(tensorOf("float32", [C, C, 3, 3], Array.from({ length: C * C * 9 }, (_, i) => Math.sin(i))));
const p1 = { top: 1, left: 1, bottom: 1, right: 1 };
const graphs = {
  conv: graphOf({ o: build.conv(x, w, undefined, { pads: p1 }) }),
  relu: graphOf({ o: build.relu(x) }),
  maxpool: graphOf({ o: build.maxPool(x, { kernel: [2, 2] }) }),
  mpg2: graphOf({ o: build.maxPoolGradient(x, g, { kernel: [2, 2] }) }),
  mpg3s2: graphOf({ o: build.maxPoolGradient(x, g3, { kernel: [3, 3], strides: [2, 2], pads: p1 }) }),
  rg2: graphOf({ o: build.resizeGradient(h, [N / 2, N / 2], { mode: "linear", scales: [2, 2] }) }),
  rgn2: graphOf({ o: build.resizeGradient(h, [N / 2, N / 2], { scales: [2, 2], coordinates: "asymmetric", rounding: "floor" }) }),
  rgac: graphOf({ o: build.resizeGradient(h, [N / 2, N / 2], { mode: "linear", scales: [2, 2], coordinates: "align_corners" }) }),
  resize2: graphOf({ o: build.resize(g, { mode: "linear", scales: [2, 2] }) }),
};
const v: Record<string, Tensor> = {};
for (const n of [x, g, h]) v[n.name] = new Tensor("float32", Float32Array.from({ length: n.shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 1.37)), [...n.shape]);
const only = process.env["ONLY"]?.split(",");
test("bench", async () => {
  for (const [name, graph] of Object.entries(graphs)) {
    if (only && !only.includes(name)) continue;
    const s = await InferenceSession.create(encodeOnnx(graph), { intraOpNumThreads: 2, logSeverityLevel: 3 });
    const feeds = Object.fromEntries(graph.inputs.map((n) => [n.name, v[n.name]!]));
    const t: number[] = [];
    for (let i = 0; i < 7; i++) { const a = performance.now(); await s.run(feeds); t.push(performance.now() - a); }
    appendFileSync("/tmp/bench.txt", `${name} ${t.sort((a, b) => a - b)[0]!.toFixed(1)} med ${t[3]!.toFixed(1)}\n`);
    await s.release();
  }
}, 100000);
