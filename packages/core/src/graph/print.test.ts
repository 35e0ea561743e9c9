import { expect, test } from "vitest";
import * as build from "./build.ts";
import { graphOf } from "./graph.ts";
import { printGraph } from "./print.ts";
import { tensorOf } from "./tensor.ts";

test("a graph prints as one line a node, operands first, outputs last", () => {
  const image = build.input("image", { type: "uint8", shape: [1, 8, 8, 3], spatial: [1, 2] });
  const x = build.transpose(build.cast(image, "float32"), [0, 3, 1, 2]);
  const weight = build.input("weight", { type: "float32", shape: [4, 3, 3, 3] });
  const pads = { top: 1, left: 1, bottom: 0, right: 0 };
  const features = build.relu(
    build.conv(x, weight, build.vectorConstant([0.5, 0, -1, 2]), { strides: [2, 2], pads, name: "encoder.0" }),
  );
  const up = build.resize(build.maxPool(features, { kernel: [2, 2] }), { scales: [2, 2], mode: "linear" });
  const joined = build.concat([up, features], 1);
  const logits = build.reduceMean(joined, [2, 3], { name: "pool" });
  expect(printGraph(graphOf({ logits, features }))).toMatchInlineSnapshot(`
    "%0 = Input[spatial=[1,2]]() : uint8[1,8,8,3]  # image
    %1 = Cast(%0) : float32[1,8,8,3]
    %2 = Transpose[permutation=[0,3,1,2]](%1) : float32[1,3,8,8]
    %3 = Input() : float32[4,3,3,3]  # weight
    %4 = Constant() : float32[4] = [0.5, 0, -1, 2]
    %5 = Conv[strides=2x2 pads=[1,1,0,0]](%2, %3, %4) : float32[1,4,4,4]  # encoder.0
    %6 = Relu(%5) : float32[1,4,4,4]
    %7 = MaxPool[kernel=2x2 strides=2x2](%6) : float32[1,4,2,2]
    %8 = Resize[linear scales=2x2 half_pixel](%7) : float32[1,4,4,4]
    %9 = Concat[axis=1](%8, %6) : float32[1,8,4,4]
    %10 = ReduceMean[axes=[2,3]](%9) : float32[1,8,1,1]  # pool
    outputs: logits = %10, features = %6
    "
  `);
});

test("attributes of every kind print", () => {
  const x = build.input("x", { type: "float32", shape: [1, 4, 6, 6] });
  const weight = build.constant(tensorOf("float32", [4, 1, 2, 2], new Float32Array(16)));
  const nodes = [
    build.leakyRelu(x, 0.1),
    build.clip(x, { min: 0 }),
    build.coordinate({ axis: 3, rank: 4, size: 6 }),
    build.convTranspose(x, weight, undefined, { strides: [2, 2], dilations: [1, 2], group: 4, outputPadding: [1, 0] }),
    build.maxPoolGradient(x, x, {
      kernel: [1, 3],
      strides: [1, 1],
      dilations: [1, 2],
      pads: { top: 0, left: 2, bottom: 0, right: 2 },
    }),
    build.averagePool(x, { kernel: [2, 2], countIncludePad: true }),
    build.resize(x, { scales: [0.5, 2], coordinates: "asymmetric", rounding: "floor" }),
    build.resizeGradient(x, [3, 3], { scales: [2, 2], mode: "linear" }),
    build.pad(x, { after: [0, 0, 1, 1], mode: "edge" }),
    build.pad(x, { before: [0, 0, 1, 1], value: -1 }),
    build.slice(x, { starts: [0, 0, 5, 0], sizes: [1, 4, 3, 6], steps: [1, 1, -2, 1] }),
    build.sliceAxis(x, { axis: 1, start: 2, size: 1 }),
    build.argMax(x, 1),
    build.softmax(x, 1),
  ];
  const outputs = Object.fromEntries(nodes.map((node, index) => [`y${index}`, node]));
  expect(printGraph(graphOf(outputs))).toMatchInlineSnapshot(`
    "%0 = Input() : float32[1,4,6,6]  # x
    %1 = LeakyRelu[slope=0.1](%0) : float32[1,4,6,6]
    %2 = Clip[min=0 max=Infinity](%0) : float32[1,4,6,6]
    %3 = Coordinate[axis=3]() : float32[1,1,1,6]
    %4 = Constant() : float32[4,1,2,2]
    %5 = ConvTranspose[strides=2x2 dilations=1x2 group=4 outputPadding=1x0](%0, %4) : float32[1,4,13,13]
    %6 = MaxPoolGradient[kernel=1x3 strides=1x1 pads=[0,2,0,2] dilations=1x2](%0, %0) : float32[1,4,6,6]
    %7 = AveragePool[kernel=2x2 strides=2x2 countIncludePad](%0) : float32[1,4,3,3]
    %8 = Resize[nearest scales=0.5x2 asymmetric floor](%0) : float32[1,4,3,12]
    %9 = ResizeGradient[linear scales=2x2 half_pixel](%0) : float32[1,4,3,3]
    %10 = Pad[edge before=[0,0,0,0] after=[0,0,1,1]](%0) : float32[1,4,7,7]
    %11 = Pad[constant before=[0,0,1,1] after=[0,0,0,0] value=-1](%0) : float32[1,4,7,7]
    %12 = Slice[starts=[0,0,5,0] sizes=[1,4,3,6] steps=[1,1,-2,1]](%0) : float32[1,4,3,6]
    %13 = Slice[starts=[0,2,0,0] sizes=[1,1,6,6]](%0) : float32[1,1,6,6]
    %14 = ArgMax[axis=1](%0) : int64[1,1,6,6]
    %15 = Softmax[axis=1](%0) : float32[1,4,6,6]
    outputs: y0 = %1, y1 = %2, y2 = %3, y3 = %5, y4 = %6, y5 = %7, y6 = %8, y7 = %9, y8 = %10, y9 = %11, y10 = %12, y11 = %13, y12 = %14, y13 = %15
    "
  `);
});
