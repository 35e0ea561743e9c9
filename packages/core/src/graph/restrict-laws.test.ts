import { describe, expect, it } from "vitest";
import {
  add,
  concat,
  conv,
  coordinate,
  input,
  matMul,
  maxPool,
  maxPoolGradient,
  mul,
  relu,
  resize,
  scalarConstant,
  sub,
  cast,
  transpose,
} from "./build.ts";
import { backpropagate, expandTo } from "./gradient.ts";
import type { Node } from "./node.ts";
import { allSides, imageInput, randomGraph, randomWeights } from "./random-graph-conformance.ts";
import { prepareRestriction } from "./restrict.ts";
import { compareTiled } from "./tiling-conformance.ts";
import type { Tiling } from "./tiling-conformance.ts";

/** Float64 sums in another order differ by some 1e-16 of the largest term; sums of a few thousand stay below. */
const rounding = 1e-9;

const tilings: readonly Tiling[] = [
  { rows: 1, columns: 1 },
  { rows: 3, columns: 4 },
  { rows: 5, columns: 3, offset: 2 },
  { rows: 100, columns: 100 },
];

function expectExact(output: Node, options: Pick<Tiling, "axes"> = {}): void {
  for (const tiling of tilings) {
    const { error, largest } = compareTiled(output, { ...tiling, ...options });
    expect(largest).toBeGreaterThan(0);
    expect(error).toBeLessThanOrEqual(rounding);
  }
}

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

describe("a random graph", () => {
  it.each(seeds)("(seed %i) computed in tiles equals the whole", (seed) => {
    const { output } = randomGraph(seed);
    for (const tiling of tilings.slice(1)) {
      const { error, largest } = compareTiled(add(output, scalarConstant(1)), tiling);
      expect(largest).toBeGreaterThan(0);
      expect(error).toBeLessThanOrEqual(rounding);
    }
  });

  it.each(seeds)("(seed %i) has a gradient that computed in tiles equals the whole", (seed) => {
    const { output, image } = randomGraph(seed);
    const [gradient] = backpropagate(new Map([[output, mul(output, scalarConstant(0.5))]]), [image]);
    if (gradient === undefined) return;
    const { error } = compareTiled(add(expandTo(gradient, image.shape), image), { rows: 5, columns: 4, offset: 1 });
    expect(error).toBeLessThanOrEqual(rounding);
  });
});

const resizes = (["half_pixel", "asymmetric", "pytorch_half_pixel"] as const).flatMap((coordinates) =>
  (["nearest", "linear"] as const).flatMap((mode) =>
    (["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"] as const).map((rounding) => ({
      coordinates,
      mode,
      rounding,
    })),
  ),
);

describe("a part of a graph equals the whole", () => {
  it.each(resizes)("when resized: $coordinates, $mode, $rounding", (attributes) => {
    for (const scales of [
      [4, 5],
      [2, 3],
      [1, 7],
      [6, 8],
    ] as const)
      expectExact(resize(imageInput(5, 4), { ...attributes, scales }));
  });

  const weights = randomWeights(3);
  const channelsLast = input("image", { type: "float32", shape: [7, 9, 3], spatial: [0, 1] });
  const cases: readonly (readonly [string, () => Node, (readonly [number, number])?])[] = [
    ["image-sized weights, channels last", () => mul(channelsLast, weights(7, 9, 3)), [0, 1]],
    ["weights for each row, channels last", () => mul(channelsLast, weights(7, 1, 3)), [0, 1]],
    ["image-sized values that follow from weights", () => mul(imageInput(7, 9), relu(weights(1, 1, 7, 9)))],
    ["weights for each column", () => mul(imageInput(7, 9), weights(9))],
    [
      "an image-sized input that is not cut",
      () => mul(imageInput(7, 9), input("mask", { type: "float32", shape: [1, 1, 7, 9] })),
    ],
    ["a vector of coordinates", () => mul(imageInput(7, 9), coordinate({ axis: 0, rank: 1, size: 9 }))],
    [
      "a 1 x 1 convolution with pads",
      () => conv(imageInput(7, 9), weights(2, 2, 1, 1), weights(2), { pads: allSides(1) }),
    ],
    [
      "a convolution with windows wholly in its pads",
      () => conv(imageInput(7, 9), weights(2, 2, 3, 3), weights(2), { pads: allSides(8), strides: [2, 3] }),
    ],
    [
      "a linear layer over channels",
      () => transpose(matMul(transpose(imageInput(6, 7, 3), [0, 2, 3, 1]), weights(3, 4)), [0, 3, 1, 2]),
    ],
    ["weights beside it as channels", () => concat([imageInput(6, 7), weights(1, 1, 6, 7)], 1)],
    ["weights above and below it", () => concat([weights(1, 2, 3, 7), imageInput(6, 7), weights(1, 2, 2, 7)], 2)],
    [
      "a second image at another stride",
      () => {
        const coarse = input("coarse", { type: "float32", shape: [1, 1, 3, 11], spatial: [2, 3] });
        return add(imageInput(9, 11), resize(coarse, { scales: [3, 1], mode: "linear" }));
      },
    ],
  ];
  it.each(cases.map(([what, build, axes]) => ({ what, build, axes })))("with $what", ({ build, axes }) => {
    expectExact(build(), axes === undefined ? {} : { axes });
  });

  it.each(["float32", "float64"] as const)("with a %s gradient that skips positions", (type) => {
    const x = cast(imageInput(9, 11), type);
    const window = { kernel: [2, 2], strides: [4, 4] } as const;
    const pooled = maxPool(x, window);
    expectExact(sub(mul(x, x), maxPoolGradient(x, mul(pooled, pooled), window)));
  });
});

describe("a plan", () => {
  const x = imageInput(400, 400);
  const window = { kernel: [2, 2], strides: [4, 4] } as const;
  const gradient = maxPoolGradient(x, maxPool(x, window), window);
  const part = (start: number, size: number): { readonly start: number; readonly end: number } => ({
    start,
    end: start + size,
  });

  it("has the same key where what is not needed lies elsewhere", () => {
    const restriction = prepareRestriction({ output: add(gradient, x) });
    const keyAt = (at: number): string => restriction.plan({ output: { y: part(at, 1), x: part(at, 1) } }).key;
    expect(keyAt(102)).toBe(keyAt(202));
    expect(keyAt(101)).not.toBe(keyAt(102));
  });

  it("names the regions of those inputs that its graph has", () => {
    const plan = prepareRestriction({ output: gradient }).plan({ output: { y: part(2, 2), x: part(0, 40) } });
    expect(plan.inputRegions).toEqual({});
    expect(plan.build().inputs).toEqual([]);
  });

  it.each([
    ["empty", part(2, 0)],
    ["reaches beyond the output", part(390, 20)],
    ["starts before the output", part(-1, 20)],
    ["starts between positions", part(0.5, 20)],
  ])("is refused for a region that is %s", (_, y) => {
    const restriction = prepareRestriction({ output: relu(x) });
    expect(() => restriction.plan({ output: { y, x: part(0, 4) } })).toThrow(RangeError);
  });
});
