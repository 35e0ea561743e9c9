import { describe, expect, test } from "vitest";
import { elementsOf, float32, tensorOf } from "./tensor.ts";

describe("a tensor made from numbers", () => {
  test("rounds to its type", () => {
    expect(tensorOf("float32", [1], [0.1]).data).toEqual(Float32Array.of(0.1));
    expect(tensorOf("int32", [2], [-1.7, 2.9]).data).toEqual(Int32Array.of(-1, 2));
    expect(tensorOf("bool", [3], [0, 0.5, -3]).data).toEqual(Uint8Array.of(0, 1, 1));
  });

  test("holds int64 to its ends", () => {
    const { data } = tensorOf("int64", [5], [-1.5, Number.NaN, 2 ** 63, Infinity, -Infinity]);
    expect(data).toEqual(BigInt64Array.of(-1n, 0n, 2n ** 63n - 1n, 2n ** 63n - 1n, -(2n ** 63n)));
  });

  test("gives its elements back as numbers", () => {
    expect([...elementsOf(tensorOf("int64", [2], [7, -8]))]).toEqual([7, -8]);
    expect([...elementsOf(float32([2], [0.5, 2]))]).toEqual([0.5, 2]);
  });

  test("refuses another number of values than its shape has", () => {
    expect(() => float32([2, 2], [1])).toThrow("A tensor of shape [2, 2] has 4 values, got 1.");
    expect(() => tensorOf("uint8", [], [])).toThrow("A tensor of shape [] has 1 values, got 0.");
  });
});
