import { describe, expect, it } from "vitest";
import { constant, input } from "../graph/build.ts";
import { backpropagate, expandTo } from "../graph/gradient.ts";
import { graphOf } from "../graph/graph.ts";
import { evaluate } from "../graph/reference.ts";
import type { ReferenceTensor } from "../graph/reference.ts";
import { float32, sizeOf } from "../graph/tensor.ts";
import type { Shape } from "../graph/tensor.ts";
import { normals } from "../model/random.ts";
import { classMap, mapDisagreement, mapEntropy, turnDisagreement } from "./map-losses.ts";

const random = normals(11);
const noise = (shape: Shape): ReferenceTensor => ({
  shape,
  data: Float64Array.from({ length: sizeOf(shape) }, () => random()),
});
const fineShape = [2, 3, 4, 4];
const coarseShape = [2, 3, 2, 2];
const fine = input("fine", { type: "float32", shape: fineShape });
const coarse = input("coarse", { type: "float32", shape: coarseShape });

function valueOf(loss: ReturnType<typeof mapEntropy>, values: Readonly<Record<string, ReferenceTensor>>): number {
  return evaluate(graphOf({ loss }), values)["loss"]?.data[0] ?? Number.NaN;
}

describe("a map of class scores", () => {
  it("is the linear layer at each place", () => {
    const features = input("features", { type: "float32", shape: [1, 2, 1, 2] });
    const map = classMap(features, {
      weight: constant(float32([2, 3], [1, 2, 3, 4, 5, 6])),
      bias: constant(float32([3], [0.5, 0, -1])),
    });
    const given = { features: { shape: [1, 2, 1, 2], data: Float64Array.of(1, 0, 0, 2) } };
    expect([...(evaluate(graphOf({ map }), given)["map"]?.data ?? [])]).toEqual([1.5, 8.5, 2, 10, 2, 11]);
  });

  it("has the entropy of its pixels' classes: log 3 where all are alike, 0 where one is certain", () => {
    const loss = mapEntropy(fine);
    const alike = { fine: { shape: fineShape, data: new Float64Array(96).fill(5) } };
    expect(valueOf(loss, alike)).toBeCloseTo(Math.log(3), 9);
    const certain = {
      fine: {
        shape: fineShape,
        data: Float64Array.from({ length: 96 }, (_, i) => (Math.floor(i / 16) % 3 === 1 ? 90 : 0)),
      },
    };
    expect(valueOf(loss, certain)).toBeCloseTo(0, 9);
  });

  it("does not disagree with itself averaged, and does with another", () => {
    const { loss } = mapDisagreement({ fine, coarse });
    const large = noise(coarseShape);
    const repeated = Float64Array.from({ length: 96 }, (_, i) => {
      const [plane, y, x] = [Math.floor(i / 16), Math.floor((i % 16) / 4), i % 4];
      return large.data[plane * 4 + Math.floor(y / 2) * 2 + Math.floor(x / 2)] ?? 0;
    });
    expect(valueOf(loss, { fine: { shape: fineShape, data: repeated }, coarse: large })).toBeCloseTo(0, 12);
    expect(valueOf(loss, { fine: noise(fineShape), coarse: large })).toBeGreaterThan(0.001);
  });

  it("follows the encoder's, which does not follow it: the gradient is that of central differences, and none to the coarser", () => {
    const { loss, held } = mapDisagreement({ fine, coarse });
    const seed = constant(float32([1, 1, 1, 1], [1]));
    const [toFine, toCoarse] = backpropagate(new Map([[loss, seed]]), [fine, coarse], { held: new Set([held]) });
    expect(toCoarse).toBeUndefined();
    if (toFine === undefined) throw new RangeError("The disagreement depends on the finer map.");
    const values = { fine: noise(fineShape), coarse: noise(coarseShape) };
    const found = evaluate(graphOf({ g: expandTo(toFine, fineShape) }), values)["g"]?.data ?? [];
    const step = 1e-5;
    for (const index of [0, 17, 50, 95]) {
      const moved = (change: number): number => {
        const data = values.fine.data.slice();
        data[index] = (data[index] ?? 0) + change;
        return valueOf(loss, { ...values, fine: { shape: fineShape, data } });
      };
      expect(found[index]).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 8);
    }
  });

  it("does not depend on which way round an image lies when the map of the turned image is the turned map", () => {
    const side = 4;
    const maps = input("maps", { type: "float32", shape: [3, 2, side, side] });
    const loss = turnDisagreement(maps, 1);
    const shape = maps.shape;
    /** The last image's map, class by class: the first one's after a quarter turn to the left. */
    const followed = (data: Float64Array): Float64Array => {
      const all = data.slice();
      for (const plane of [0, 1]) {
        for (let at = 0; at < 16; at += 1) {
          const [y, x] = [Math.floor(at / side), at % side];
          all[(4 + plane) * 16 + at] = data[plane * 16 + x * side + (side - 1 - y)] ?? 0;
        }
      }
      return all;
    };
    const equal = followed(noise(shape).data.map((value) => 10 * value));
    expect(valueOf(loss, { maps: { shape, data: equal } })).toBeCloseTo(0, 12);
    // Aside of where it is, by a column, the same values disagree.
    const aside = equal.map((_, i) => equal[Math.floor(i / side) * side + ((i + 1) % side)] ?? 0);
    aside.set(equal.subarray(64), 64);
    expect(valueOf(loss, { maps: { shape, data: aside } })).toBeGreaterThan(0.3);
    // As does a streak that lies the same way in both, which half a turn would not tell from evidence.
    const streak = Float64Array.from({ length: 96 }, (_, i) => (Math.floor((i % 16) / side) === i % side ? 10 : 0));
    expect(valueOf(loss, { maps: { shape, data: streak } })).toBeGreaterThan(0.3);
    // Where nothing is shown yet, little is asked.
    const faint = aside.map((value) => value / 1000);
    expect(valueOf(loss, { maps: { shape, data: faint } })).toBeLessThan(0.01);
  });
});
