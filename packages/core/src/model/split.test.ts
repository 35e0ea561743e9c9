import { describe, expect, it } from "vitest";
import {
  input,
  matMul,
  constant,
  reshape,
  softmax,
  reduceMean,
  relu,
  reduceMax,
  add,
  sigmoid,
} from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { evaluate } from "../graph/reference.ts";
import { float32 } from "../graph/tensor.ts";
import { splitModel } from "./split.ts";
import { defaultUNet, unetGraph, unetParameters } from "./unet.ts";
import type { PoolKind } from "./unet.ts";

const size = { width: 8, height: 8 };
const small = { ...defaultUNet, depth: 1, baseChannels: 2, classes: 3 };
const pools: readonly [PoolKind, string][] = [
  [{ kind: "mean" }, "mean"],
  [{ kind: "max" }, "max"],
  [{ kind: "log-sum-exp", sharpness: 4 }, "log-mean-exp, r = 4"],
  [{ kind: "generalised-mean", power: 3 }, "generalised mean, p = 3"],
];
const image = (): Float64Array => Float64Array.from({ length: 192 }, (_, i) => Math.sin(i * 1.7));

describe("splitting a model", () => {
  describe.each(["features", "scores"] as const)("that pools %s", (pooled) => {
    it.each(pools)("finds the pool %o", (pool, label) => {
      const settings = { ...small, pool, pooled };
      const graph = unetGraph(settings, unetParameters(settings), size);
      const split = splitModel(graph);
      expect(split.pools.map((found) => found.label)).toEqual([label]);
      expect(split.head.classes).toBe(3);
      const layer = split.pools[0].layer;
      // Scores may be negative: what keeps them from it is no mere safeguard, and so part of the body.
      const scores = pool.kind === "generalised-mean" ? "Clip" : "Conv";
      expect(layer.op).toBe(pooled === "features" ? "Relu" : scores);
    });
  });

  it("keeps the function: head(pool(body)) gives the scores of the whole", () => {
    for (const [pool] of pools) {
      const settings = { ...small, pool };
      const graph = unetGraph(settings, unetParameters(settings), size);
      const whole = evaluate(graph, { image: { shape: [1, 3, 8, 8], data: image() } });
      const { pools: found, head } = splitModel(graph);
      const pooled = evaluate(graphOf({ "pool.0": found[0].node }), { image: { shape: [1, 3, 8, 8], data: image() } });
      const logits = evaluate(head.graph, {
        "pool.0": { shape: [1, 2, 1, 1], data: pooled["pool.0"]?.data ?? new Float64Array() },
      });
      expect(logits["logits"]?.data).toEqual(whole["logits"]?.data);
    }
  });

  it("finds two pools and leaves a final softmax away", () => {
    const x = input("image", { type: "float32", shape: [1, 3, 4, 4], spatial: [2, 3] });
    const weights = constant(float32([3, 2], [1, 2, 3, 4, 5, 6]));
    const sum = add(reduceMean(relu(x), [2, 3]), reduceMax(x, [2, 3]));
    const split = splitModel(graphOf({ scores: softmax(matMul(reshape(sum, [1, 3]), weights), 1) }));
    expect(split.pools.map((pool) => pool.reduction).toSorted()).toEqual(["max", "mean"]);
    expect(split.head.activation).toBe("softmax");
    expect(split.head.logits.op).toBe("MatMul");
  });

  it("leaves a final sigmoid away, though a change of shape follows it, and none of those before the pool", () => {
    const x = input("image", { type: "float32", shape: [1, 3, 4, 4], spatial: [2, 3] });
    const scored = (classes: number): Node =>
      matMul(
        reshape(reduceMean(sigmoid(x), [2, 3]), [1, 3]),
        constant(float32([3, classes], new Float32Array(3 * classes).fill(1))),
      );
    for (const scores of [sigmoid(scored(1)), reshape(sigmoid(scored(1)), [1]), sigmoid(scored(2))]) {
      const { head } = splitModel(graphOf({ scores }));
      expect(head.activation).toBe("sigmoid");
      expect(head.logits.op).toBe("MatMul");
    }
    expect(splitModel(graphOf({ scores: scored(2) })).head.activation).toBeUndefined();
    expect(splitModel(graphOf({ scores: reduceMean(sigmoid(x), [2, 3]) })).head.activation).toBeUndefined();
  });

  it("refuses a model without a pool, naming where the image axes are lost", () => {
    const x = input("image", { type: "float32", shape: [1, 3, 2, 2], spatial: [2, 3] });
    const flat = reshape(x, [1, 12], { name: "flatten" });
    const scores = matMul(flat, constant(float32([12, 1], new Float32Array(12))));
    expect(() => splitModel(graphOf({ scores }))).toThrow(/without one.*"flatten" \(Reshape\)/);
  });
});
