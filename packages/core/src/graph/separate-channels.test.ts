import { describe, expect, it } from "vitest";
import { add, conv, relu, sliceAxis } from "./build.ts";
import { flops } from "./flops.ts";
import { foldConstants } from "./fold-constants.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { imageInput, largestDifference, randomWeights, smallUNet, withGradient } from "./random-graph-conformance.ts";
import { prepareRestriction } from "./restrict.ts";
import { separateChannels } from "./separate-channels.ts";

const weights = randomWeights(6);
const whole = conv(imageInput(9, 9), weights(6, 2, 3, 3), weights(6));
const range = (start: number, size: number, axis = 1): Node => sliceAxis(whole, { axis, start, size });

function convolutions(outputs: Readonly<Record<string, Node>>): number {
  return topologicalOrder(Object.values(outputs)).filter(({ op }) => op === "Conv").length;
}

describe("separating channels", () => {
  it("makes a convolution of which two ranges are used two of them, without what is not used", () => {
    const graph = graphOf({ a: range(0, 2), b: relu(range(3, 3)) });
    const separated = foldConstants(graphOf(separateChannels(graph.outputs)));
    expect(convolutions(separated.outputs)).toBe(2);
    expect(flops(separated)).toBeLessThan(flops(foldConstants(graph)));
    expect(largestDifference(graph, separated)).toBe(0);
  });

  it.each([
    ["whole as well", () => ({ a: range(0, 2), b: relu(whole) })],
    ["as an output", () => ({ a: range(0, 2), b: whole })],
    ["in ranges that overlap", () => ({ a: range(0, 3), b: range(2, 3) })],
    ["along another axis", () => ({ a: range(0, 2, 2), b: range(3, 3) })],
  ])("leaves a convolution alone that is used %s", (_, build) => {
    const outputs = build();
    expect(convolutions(separateChannels(outputs))).toBe(convolutions(outputs));
  });

  it("makes the gradient of a tile cheaper", () => {
    const { image, output } = smallUNet(64);
    const { gradient } = withGradient({ image, output });
    if (gradient === undefined) throw new RangeError("no gradient");
    const outputs = { y: add(gradient, image) };
    const middle = { start: 32, end: 36 };
    const cut = (separates: boolean): Graph => {
      const restriction = prepareRestriction(outputs, { separateChannels: separates });
      return foldConstants(restriction.plan({ y: { y: middle, x: middle } }).build());
    };
    expect(flops(cut(true))).toBeLessThan(flops(cut(false)));
    expect(largestDifference(cut(false), cut(true))).toBeLessThanOrEqual(1e-12);
  });
});
