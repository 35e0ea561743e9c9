import { describe, expect, it } from "vitest";
import { averagePool, concat, conv, convTranspose, relu, resize, slice } from "./build.ts";
import { composeConvolutions } from "./compose-convolutions.ts";
import { flops } from "./flops.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { allSides, imageInput, largestDifference, randomWeights } from "./random-graph-conformance.ts";
import type { Pads } from "./vocabulary.ts";

const weights = randomWeights(7);
const coarse = imageInput(20, 22, 8);
const skip = conv(coarse, weights(16, 8, 1, 1));

/** Kernels that are put together are rounded to float32: 6e-8 of each of some hundred products. */
const rounded = 1e-6;

function operators(graph: Graph): readonly string[] {
  return topologicalOrder(Object.values(graph.outputs))
    .filter(({ op }) => op !== "Constant" && op !== "Input")
    .map(({ op }) => op);
}

function upsampled({ biased = true, pads = allSides(0) } = {}): Node {
  return convTranspose(coarse, weights(8, 4, 2, 2), biased ? weights(4) : undefined, { strides: [2, 2], pads });
}

const repeated = resize(coarse, { scales: [2, 2], coordinates: "asymmetric", rounding: "floor" });

function convolved(x: Node, pads: Pads = allSides(0)): Node {
  const [, channels = 1] = x.shape;
  return conv(x, weights(5, channels, 3, 3), weights(5), { pads });
}

/** With what else is upsampled, as a decoder joins a skip. */
function joined(x: Node): Node {
  const [, , height = 1, width = 1] = x.shape;
  const fine = resize(skip, { scales: [2, 2], mode: "linear" });
  return concat([slice(fine, { starts: [0, 0, 0, 0], sizes: [1, 16, height, width] }), x], 1);
}

function region(x: Node): Node {
  const [, channels = 1, height = 1, width = 1] = x.shape;
  return slice(x, { starts: [0, 0, 1, 2], sizes: [1, channels, height - 3, width - 2] });
}

const vertical: Pads = { top: 1, left: 0, bottom: 1, right: 0 };
const horizontal: Pads = { top: 0, left: 1, bottom: 0, right: 1 };

describe("two linear steps become one convolution", () => {
  it.each<[string, () => Node, readonly string[]]>([
    ["a transposed convolution and a convolution", () => convolved(upsampled()), ["ConvTranspose"]],
    ["the same, of a region", () => convolved(region(upsampled())), ["ConvTranspose"]],
    ["the same with a cut border", () => convolved(upsampled({ pads: allSides(1) })), ["ConvTranspose"]],
    [
      "the same with pads, without a bias",
      () => convolved(upsampled({ biased: false }), allSides(1)),
      ["ConvTranspose"],
    ],
    ["the same with pads above and below, a bias", () => convolved(upsampled(), vertical), ["Pad", "ConvTranspose"]],
    ["the same with pads at the sides, a bias", () => convolved(upsampled(), horizontal), ["Pad", "ConvTranspose"]],
    [
      "the same with pads at a corner, a bias",
      () => convolved(upsampled(), { ...horizontal, top: 1 }),
      ["Pad", "ConvTranspose"],
    ],
    ["the same with pads on all sides, a bias", () => convolved(upsampled(), allSides(1)), ["Pad", "ConvTranspose"]],
    [
      "the same with pads of several rows and columns, a bias",
      () => conv(upsampled(), weights(5, 4, 5, 5), undefined, { pads: allSides(2) }),
      ["Pad", "ConvTranspose"],
    ],
    ["a repetition and a convolution", () => convolved(repeated, allSides(1)), ["ConvTranspose"]],
    ["the same, of a region", () => convolved(region(repeated)), ["ConvTranspose"]],
    [
      "a repetition by half a pixel",
      () => convolved(resize(coarse, { scales: [3, 2], rounding: "round_prefer_ceil" }), allSides(2)),
      ["ConvTranspose"],
    ],
    [
      "what was upsampled and joined with other channels",
      () => convolved(joined(upsampled({ biased: false })), allSides(1)),
      ["ConvTranspose", "Conv", "Resize", "Conv", "Add"],
    ],
    [
      "what was repeated, cut and joined",
      () => convolved(joined(region(repeated))),
      ["ConvTranspose", "Conv", "Resize", "Slice", "Conv", "Add"],
    ],
    [
      "a convolution and a strided one",
      () => conv(convolved(coarse, allSides(1)), weights(6, 5, 2, 2), weights(6), { strides: [2, 2] }),
      ["Conv"],
    ],
    ["a convolution and an average", () => averagePool(convolved(coarse, vertical), { kernel: [2, 2] }), ["Conv"]],
  ])("%s", (_, build, expected) => {
    const graph = graphOf({ y: build() });
    const composed = composeConvolutions(graph);
    expect(operators(composed)).toEqual(expected);
    expect(largestDifference(graph, composed)).toBeLessThanOrEqual(rounded);
    expect(flops(composed)).toBeLessThan(flops(graph));
  });
});

it("has as many channels for a bias as its engine likes", () => {
  const first = convTranspose(imageInput(20, 22, 20), weights(20, 16, 2, 2), weights(16), { strides: [2, 2] });
  const graph = graphOf({ y: conv(first, weights(16, 16, 3, 3), undefined, { pads: allSides(1) }) });
  const composed = composeConvolutions(graph, { channelMultiple: 8 });
  const channels = topologicalOrder(Object.values(composed.outputs)).flatMap(({ op, shape }) =>
    op === "Pad" ? [shape[1]] : [],
  );
  expect(channels).toEqual([24]);
  expect(largestDifference(graph, composed)).toBeLessThanOrEqual(rounded);
});

describe("two steps stay two", () => {
  const strided = (x: Node): Node => conv(x, weights(6, 5, 2, 2), undefined, { strides: [2, 2] });

  it.each<[string, () => Readonly<Record<string, Node>>]>([
    [
      "where every row is at the border, and a bias is below",
      () => ({
        y: conv(upsampled(), weights(5, 4, 43, 1), undefined, { pads: { ...allSides(0), top: 2, bottom: 3 } }),
      }),
    ],
    [
      "where what is upsampled is larger than the strides make it, and pads and a bias are there",
      () => ({
        y: convolved(convTranspose(coarse, weights(8, 4, 3, 3), weights(4), { strides: [2, 2] }), allSides(1)),
      }),
    ],
    [
      "where zeros stand for what was cut off",
      () => ({ y: convolved(upsampled({ biased: false, pads: allSides(1) }), vertical) }),
    ],
    ["of a region, the same", () => ({ y: convolved(region(repeated), horizontal) })],
    ["with something between them", () => ({ y: convolved(relu(upsampled())) })],
    ["where what is between them is an output", () => ({ y: convolved(repeated), z: repeated })],
    [
      "where something else reads it",
      () => {
        const first = upsampled();
        return { y: convolved(first), z: relu(first) };
      },
    ],
    [
      "where it is joined with itself",
      () => {
        const first = upsampled();
        return { y: convolved(concat([first, first], 1)) };
      },
    ],
    ["of linear interpolation", () => ({ y: convolved(resize(coarse, { scales: [2, 2], mode: "linear" })) })],
    [
      "of a resize that does not repeat evenly",
      () => ({ y: convolved(resize(coarse, { scales: [2, 2], coordinates: "asymmetric", rounding: "ceil" })) }),
    ],
    ["where the second of two convolutions has pads", () => ({ y: relu(convolved(convolved(coarse), allSides(1))) })],
    ["where one convolution is more work", () => ({ y: conv(conv(coarse, weights(1, 8, 3, 3)), weights(8, 1, 3, 3)) })],
    [
      "where the first of them is strided",
      () => ({ y: strided(conv(coarse, weights(5, 8, 3, 3), undefined, { strides: [2, 2] })) }),
    ],
    [
      "of groups",
      () => ({ y: averagePool(conv(coarse, weights(8, 1, 3, 3), undefined, { group: 8 }), { kernel: [2, 2] }) }),
    ],
  ])("%s", (_, build) => {
    const graph = graphOf(build());
    expect(operators(composeConvolutions(graph))).toEqual(operators(graph));
  });

  it.each<[string, number, readonly string[]]>([
    ["whose kernels would take longer to put together than a small image gains", 4, ["ConvTranspose", "Conv"]],
    ["but not where a large image pays it back", 128, ["ConvTranspose"]],
  ])("%s", (_, side, expected) => {
    const wide = imageInput(side, side, 512);
    const weight = randomWeights(1);
    const y = conv(convTranspose(wide, weight(512, 256, 2, 2), undefined, { strides: [2, 2] }), weight(16, 256, 3, 3));
    expect(operators(composeConvolutions(graphOf({ y })))).toEqual(expected);
  });
});
