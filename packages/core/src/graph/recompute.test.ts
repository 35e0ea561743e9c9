import { describe, expect, it } from "vitest";
import { add, conv, mul, relu, scalarConstant } from "./build.ts";
import { flops } from "./flops.ts";
import { foldConstants } from "./fold-constants.ts";
import { graphOf } from "./graph.ts";
import { activationPeak, peakActivationBytes } from "./memory.ts";
import {
  allSides,
  imageInput,
  largestDifference,
  randomWeights,
  smallUNet,
  withGradient,
} from "./random-graph-conformance.ts";
import { recompute } from "./recompute.ts";
import { shareCommon } from "./share-common.ts";

describe("computing values again", () => {
  const graph = foldConstants(graphOf(withGradient(smallUNet(32))));
  const peak = peakActivationBytes(graph);

  it("leaves a graph alone that is within its budget", () => {
    expect(recompute(graph, { memoryBytes: peak })).toBe(graph);
  });

  it.each([0.9, 0.8, 0.7])("brings a U-Net's gradient down to %f of its memory, for more arithmetic", (share) => {
    const result = recompute(graph, { memoryBytes: share * peak });
    expect(peakActivationBytes(result)).toBeLessThanOrEqual(share * peak);
    expect(flops(result)).toBeGreaterThan(flops(graph));
    expect(largestDifference(graph, result)).toBe(0);
  });

  it("comes as near as it can to a budget that can't be met", () => {
    const result = recompute(graph, { memoryBytes: 1 });
    expect(peakActivationBytes(result)).toBeLessThan(0.7 * peak);
    expect(largestDifference(graph, result)).toBe(0);
  });

  it("makes what equal operators can't be merged into again", () => {
    const result = recompute(graph, { memoryBytes: 0.7 * peak });
    expect(peakActivationBytes(shareCommon(result))).toBeLessThanOrEqual(0.7 * peak);
  });

  it("does not let go of what is used at the peak", () => {
    const x = imageInput(16, 16, 1);
    const wide = relu(conv(x, randomWeights(1)(8, 1, 3, 3), undefined, { pads: allSides(1) }));
    const simple = graphOf({ y: mul(add(wide, scalarConstant(1)), wide) });
    expect(recompute(simple, { memoryBytes: 1 })).toBe(simple);
  });
});

describe("the activation peak", () => {
  it("is where most is alive", () => {
    const x = imageInput(16, 16, 1);
    const wide = conv(x, randomWeights(1)(8, 1, 3, 3), undefined, { pads: allSides(1), name: "wide" });
    const { bytes, node } = activationPeak(graphOf({ y: conv(wide, randomWeights(2)(1, 8, 1, 1)) }));
    expect(node?.name).toBe("wide");
    expect(bytes).toBe((1 + 8) * 16 * 16 * 4);
  });
});
