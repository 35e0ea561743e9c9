import { describe, expect, it } from "vitest";
import type { Region } from "../geometry/rectangle.ts";
import {
  add,
  averagePool,
  cast,
  concat,
  constant,
  conv,
  convTranspose,
  coordinate,
  equal,
  input,
  matMul,
  maxPool,
  mul,
  pad,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  resize,
  scalarConstant,
  sigmoid,
  slice,
  softmax,
  transpose,
} from "./build.ts";
import { backpropagate, expandTo } from "./gradient.ts";
import { graphOf } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { evaluate } from "./reference.ts";
import { prepareRestriction } from "./restrict.ts";
import { float32, sizeOf } from "./tensor.ts";
import type { Pads } from "./vocabulary.ts";

const image = (height: number, width: number, channels = 2): NodeOf<"Input"> =>
  input("image", { type: "float32", shape: [1, channels, height, width], spatial: [2, 3] });

let state = 1;
const random = (): number => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647 - 0.5;
};
const weights = (...shape: number[]): Node =>
  constant(float32(shape, Float32Array.from({ length: sizeOf(shape) }, random)));
const all = (amount: number): Pads => ({ top: amount, left: amount, bottom: amount, right: amount });

/** Computes the output whole and in parts of the given size, and gives the largest difference over the largest value. */
function tiledAgainstWhole(
  output: Node,
  side: { readonly rows: number; readonly columns: number },
  offset = 0,
): number {
  const whole = graphOf({ output });
  const [source] = whole.inputs;
  if (source === undefined) throw new RangeError("no image");
  state = 99;
  const data = Float64Array.from({ length: sizeOf(source.shape) }, random);
  const expected = evaluate(whole, { image: { shape: source.shape, data } })["output"]?.data ?? new Float64Array();
  const restriction = prepareRestriction({ output });
  const [, channels = 1, height = 0, width = 0] = output.shape;
  const [, imageChannels = 1, imageHeight = 0, imageWidth = 0] = source.shape;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let worst = 0;
  const cuts = (extent: number, step: number): readonly (readonly [number, number])[] => {
    const starts = Array.from({ length: Math.ceil(extent / step) + 1 }, (_, i) => i * step - (offset % step));
    return starts
      .map((start) => [Math.max(0, start), Math.min(extent, start + step)] as const)
      .filter(([a, b]) => b > a);
  };
  for (const [y0, y1] of cuts(height, side.rows)) {
    for (const [x0, x1] of cuts(width, side.columns)) {
      const region: Region = { y: { start: y0, end: y1 }, x: { start: x0, end: x1 } };
      const plan = restriction.plan({ output: region });
      const inputs = Object.fromEntries(
        Object.entries(plan.origins).map(([name, value]) => [name, { shape: [1], data: Float64Array.of(value) }]),
      );
      const part = plan.inputRegions["image"];
      const given: Record<string, { shape: readonly number[]; data: Float64Array }> = { ...inputs };
      if (part !== undefined) {
        const [rows, columns] = [part.y.end - part.y.start, part.x.end - part.x.start];
        const cut = new Float64Array(imageChannels * rows * columns);
        for (let c = 0; c < imageChannels; c += 1) {
          for (let y = 0; y < rows; y += 1) {
            const from = (c * imageHeight + part.y.start + y) * imageWidth + part.x.start;
            cut.set(data.subarray(from, from + columns), (c * rows + y) * columns);
          }
        }
        given["image"] = { shape: [1, imageChannels, rows, columns], data: cut };
      }
      const result = evaluate(plan.build(), given)["output"];
      expect(result?.shape).toEqual([1, channels, y1 - y0, x1 - x0]);
      for (let c = 0; c < channels; c += 1) {
        for (let y = y0; y < y1; y += 1) {
          for (let x = x0; x < x1; x += 1) {
            const value = result?.data[(c * (y1 - y0) + y - y0) * (x1 - x0) + x - x0] ?? Number.NaN;
            worst = Math.max(worst, Math.abs(value - (expected[(c * height + y) * width + x] ?? Number.NaN)));
          }
        }
      }
    }
  }
  expect(largest).toBeGreaterThan(0);
  return worst / largest;
}

const networks: Readonly<Record<string, () => Node>> = {
  "a residual encoder": () => {
    const x = image(45, 39);
    const stem = maxPool(relu(conv(x, weights(4, 2, 7, 7), weights(4), { strides: [2, 2], pads: all(3) })), {
      kernel: [3, 3],
      strides: [2, 2],
      pads: all(1),
    });
    const branch = relu(conv(stem, weights(6, 4, 3, 3), undefined, { strides: [2, 2], pads: all(1) }));
    return add(
      conv(branch, weights(6, 6, 3, 3), weights(6), { pads: all(1) }),
      conv(stem, weights(6, 4, 1, 1), undefined, { strides: [2, 2] }),
    );
  },
  "dilated and grouped convolutions with asymmetric pads": () => {
    const x = image(23, 31);
    const dilated = conv(x, weights(4, 1, 3, 3), weights(4), {
      dilations: [2, 3],
      group: 2,
      pads: { top: 4, left: 1, bottom: 0, right: 5 },
    });
    return sigmoid(
      conv(dilated, weights(4, 1, 2, 4), undefined, { group: 4, pads: { top: 0, left: 2, bottom: 1, right: 1 } }),
    );
  },
  "average pools, with and without their pads counted": () => {
    const x = image(21, 26);
    const counted = averagePool(x, { kernel: [3, 3], strides: [1, 1], pads: all(1), countIncludePad: true });
    const uncounted = averagePool(counted, {
      kernel: [3, 2],
      strides: [2, 2],
      pads: { top: 1, left: 0, bottom: 1, right: 1 },
      countIncludePad: false,
    });
    return mul(uncounted, scalarConstant(3));
  },
  "resizing by whole factors": () => {
    const x = image(9, 11);
    const linear = resize(x, { mode: "linear", scales: [2, 3], coordinates: "half_pixel" });
    const nearest = resize(conv(linear, weights(2, 2, 3, 3), undefined, { pads: all(1) }), {
      mode: "nearest",
      scales: [2, 1],
      coordinates: "asymmetric",
      rounding: "floor",
    });
    return resize(nearest, { mode: "linear", scales: [1, 2], coordinates: "asymmetric" });
  },
  "transposed convolutions: overlapping, with gaps, with output padding": () => {
    const x = image(11, 9);
    const overlapping = convTranspose(x, weights(2, 3, 4, 3), weights(3), {
      strides: [2, 2],
      pads: all(1),
      outputPadding: [1, 1],
    });
    return convTranspose(overlapping, weights(3, 2, 1, 1), weights(2), { strides: [2, 3], outputPadding: [1, 2] });
  },
  "edge and reflecting pads, cropped": () => {
    const x = image(17, 19);
    const edge = pad(x, { mode: "edge", before: [0, 0, 3, 0], after: [0, 0, 2, 5] });
    const reflected = conv(
      pad(edge, { mode: "reflect", before: [0, 0, 2, 4], after: [0, 0, 3, 1] }),
      weights(2, 2, 3, 3),
    );
    return slice(pad(reflected, { before: [0, 0, 1, 2], after: [0, 0, 2, 1], value: 0.25 }), {
      starts: [0, 0, 1, 3],
      sizes: [1, 2, 20, 20],
    });
  },
  "pieces put together along image axes and channels": () => {
    const x = image(12, 14, 4);
    const upper = slice(x, { starts: [0, 0, 0, 0], sizes: [1, 4, 7, 14] });
    const lower = slice(x, { starts: [0, 0, 11, 0], sizes: [1, 4, 6, 14], steps: [1, 1, -2, 1] });
    const rows = concat([conv(upper, weights(4, 4, 3, 3), undefined, { pads: all(1) }), lower], 2);
    return concat([rows, mul(rows, rows)], 1);
  },
  "a channel shuffle": () => {
    const x = image(10, 13, 4);
    const groups = transpose(reshape(x, [1, 2, 2, 10, 13]), [0, 2, 1, 3, 4]);
    return conv(reshape(groups, [1, 4, 10, 13]), weights(2, 2, 3, 3), undefined, { group: 2, pads: all(1) });
  },
  "pixels in rows of RGB": () => {
    const x = input("image", { type: "float32", shape: [1, 1, 12, 9], spatial: [2, 3] });
    const planes = reshape(transpose(reshape(cast(x, "float64"), [12, 9, 1]), [2, 0, 1]), [1, 1, 12, 9]);
    return conv(cast(planes, "float32"), weights(2, 1, 3, 3), undefined, { pads: all(1) });
  },
  coordinates: () => {
    const x = image(12, 9);
    const here = equal(coordinate({ axis: 2, rank: 4, size: 12 }), scalarConstant(7));
    return add(mul(x, here), coordinate({ axis: 3, rank: 4, size: 9 }));
  },
};

describe("a part of a graph", () => {
  describe.each(Object.entries(networks))("of %s", (_, build) => {
    it.each([
      [{ rows: 3, columns: 4 }, 0],
      [{ rows: 5, columns: 7 }, 2],
      [{ rows: 100, columns: 100 }, 0],
    ])("of size %o equals the whole", (side, offset) => {
      state = 7;
      expect(tiledAgainstWhole(build(), side, offset)).toBeLessThanOrEqual(1e-9);
    });

    it("equals the whole in its gradient to the image", () => {
      state = 7;
      const output = build();
      const [source] = graphOf({ output }).inputs;
      if (source === undefined) throw new RangeError("no image");
      const [gradient] = backpropagate(new Map([[output, scalarConstant(0.5)]]), [source]);
      if (gradient === undefined) throw new RangeError("no gradient");
      // A steep function of the gradient and the image, so that the image is needed.
      const square = add(mul(expandTo(gradient, source.shape), scalarConstant(2)), source);
      expect(tiledAgainstWhole(square, { rows: 4, columns: 5 }, 1)).toBeLessThanOrEqual(1e-9);
    });
  });

  it("needs no more of the image than a window", () => {
    const x = image(100, 100);
    const output = conv(conv(x, weights(2, 2, 3, 3), undefined, { pads: all(1) }), weights(2, 2, 5, 5), undefined, {
      pads: all(2),
    });
    const plan = prepareRestriction({ output }).plan({
      output: { y: { start: 40, end: 50 }, x: { start: 0, end: 10 } },
    });
    expect(plan.inputRegions).toEqual({ image: { y: { start: 37, end: 53 }, x: { start: 0, end: 13 } } });
  });

  it("has the same key wherever the border is equally far", () => {
    const x = image(400, 400);
    const output = convTranspose(
      maxPool(conv(x, weights(2, 2, 3, 3), undefined, { pads: all(1) }), { kernel: [2, 2], strides: [2, 2] }),
      weights(2, 2, 2, 2),
      undefined,
      { strides: [2, 2] },
    );
    const restriction = prepareRestriction({ output });
    const keyAt = (y: number, x: number): string =>
      restriction.plan({ output: { y: { start: y, end: y + 50 }, x: { start: x, end: x + 50 } } }).key;
    expect(keyAt(50, 50)).toBe(keyAt(200, 100));
    expect(keyAt(0, 50)).not.toBe(keyAt(50, 50));
    expect(keyAt(51, 50)).not.toBe(keyAt(50, 50));
  });

  it.each([
    ["reduces over all positions", (x: Node) => mul(x, reduceMean(x, [2, 3]))],
    ["reduces over all positions", (x: Node) => mul(x, reduceMax(x, [3]))],
    ["takes the softmax over all positions", (x: Node) => softmax(x, 2)],
    ["mixes image positions", (x: Node) => reshape(x, [1, 2, 400])],
    ["multiplies matrices", (x: Node) => matMul(x, x)],
    ["align_corners", (x: Node) => resize(x, { mode: "linear", scales: [2, 2], coordinates: "align_corners" })],
    ["no whole factor", (x: Node) => resize(x, { mode: "nearest", scales: [1.5, 2], coordinates: "asymmetric" })],
  ])("is refused when a value %s", (reason, build) => {
    const output = relu(build(image(20, 20)));
    expect(() => prepareRestriction({ output })).toThrow(reason);
  });

  it("may reduce over channels", () => {
    expect(tiledAgainstWhole(reduceSum(image(6, 6), [1]), { rows: 4, columns: 4 })).toBeLessThanOrEqual(1e-12);
  });
});
