import { describe, expect, it } from "vitest";
import { tileGrid } from "../geometry/tile-grid.ts";
import { topologicalOrder } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { networkFor } from "../model/network.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import type { PoolKind } from "../model/unet.ts";
import type { Explanation } from "./explanation.ts";
import { joinExplanations } from "./join.ts";
import { methodNames } from "./methods/index.ts";
import { planExplanation } from "./plan.ts";
import { explainByReference, sweepByReference } from "./reference-explanation.ts";

const size = { width: 27, height: 22 };
const pixels = Uint8Array.from({ length: size.width * size.height * 3 }, (_, i) => (i * 7919 + (i % 13) * 91) % 256);
const classes = ["a", "b", "c"];

function explanations(pool: PoolKind, layer?: string): readonly [Explanation, ...Explanation[]] {
  const settings = { ...defaultUNet, depth: 1, baseChannels: 3, classes: 3, seed: 5, pool };
  const parameters = unetParameters(settings);
  const model = { sha256: "", instantiate: (at: typeof size) => unetGraph(settings, parameters, at) };
  const network = networkFor(model, size, { samples: "uint8", mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] });
  const plan = (method: (typeof methodNames)[number], target: Parameters<typeof planExplanation>[1]["target"]) =>
    planExplanation(network, { method, target, classes });
  const [first, ...rest] = methodNames.flatMap((method) => [
    plan(method, { kind: "top1" }),
    plan(method, { kind: "difference", index: 2, other: 0 }),
  ]);
  if (first === undefined) throw new Error("There are methods.");
  return layer === undefined
    ? [first, ...rest]
    : [planExplanation(network, { method: "grad-cam", target: { kind: "top1" }, classes, layer }), first];
}

const pools: readonly PoolKind[] = [{ kind: "mean" }, { kind: "max" }, { kind: "generalised-mean", power: 3 }];

describe("joined explanations", () => {
  it.each(pools)("give every method and target the map that it has by itself: pool $kind", (pool) => {
    const alone = explanations(pool);
    const joint = joinExplanations(alone);
    const grid = tileGrid(size, { tile: 14, stride: 2 });
    const { statistics, maps } = sweepByReference(joint, pixels, grid);
    for (const [index, explanation] of alone.entries()) {
      const expected = explainByReference(explanation, pixels, grid);
      const outcome = joint.outcome(index, statistics);
      expect(outcome.target).toEqual(expected.outcome.target);
      const largest = expected.map.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const map = maps.get(outcome.map) ?? new Float64Array();
      const worst = expected.map.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - (map[i] ?? Number.NaN))),
        0,
      );
      expect(largest).toBeGreaterThan(0);
      // The same operations; regions that are larger for another map's sake may be summed in another order.
      expect(worst).toBeLessThanOrEqual(1e-12 * largest);
    }
  });

  it("take as many sweeps as the longest needs, each map in the sweep of its own plan", () => {
    const alone = explanations({ kind: "mean" }, "down1");
    const joint = joinExplanations(alone);
    expect(alone.map(({ sweeps }) => sweeps.length)).toEqual([3, 1]);
    expect(joint.sweeps).toHaveLength(3);
    expect(joint.sweeps.map(({ maps }) => maps.map(({ id }) => id.split(".")[0]))).toEqual([
      ["1", "1", "1"],
      [],
      ["0"],
    ]);
  });

  it("compute the forward pass and the pools' statistics once", () => {
    const alone = explanations({ kind: "mean" });
    const joint = joinExplanations(alone);
    const convolutions = ({ sweeps }: Pick<Explanation, "sweeps">): readonly Node[] =>
      topologicalOrder(
        sweeps.flatMap(({ statistics, maps }) => [...statistics.map(({ of }) => of), ...maps.map(({ node }) => node)]),
      ).filter(({ op }) => op === "Conv");
    const counts = alone.map((explanation) => convolutions(explanation).length);
    // Two blocks of two on the way down, one on the way up; weighted sums of channels are convolutions too.
    const forward = 6;
    expect(convolutions(joint)).toHaveLength(forward + counts.reduce((sum, count) => sum + count - forward, 0));
    expect(joint.sweeps.flatMap(({ statistics }) => statistics).map(({ id }) => id)).toEqual(["0.pool.0"]);
  });

  it("are one at least, and asked for by number", () => {
    const joint = joinExplanations([explanations({ kind: "mean" })[0]]);
    expect(() => joint.outcome(1, new Map())).toThrow(/1 explanations, none is number 1/);
  });
});
