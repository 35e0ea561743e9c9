import { describe, expect, it } from "vitest";
import { conv, convTranspose, expand, input, maxPool, resize, slice, transpose } from "./build.ts";
import { allSides, imageInput, randomWeights } from "./random-graph-conformance.ts";
import { receptiveField, totalStride } from "./receptive-field.ts";

const weights = randomWeights(5);
const same = { top: 1, bottom: 1, left: 2, right: 2 };

describe("the receptive field", () => {
  it("is counted along the image's own axes when channels are last", () => {
    const image = input("image", { type: "float32", shape: [64, 96, 3], spatial: [0, 1] });
    const planes = transpose(expand(image, [1, 64, 96, 3]), [0, 3, 1, 2]);
    const output = conv(planes, weights(2, 3, 3, 5), undefined, { pads: same });
    expect(receptiveField(output, image)).toEqual({ before: [1, 2], after: [1, 2] });
  });

  it("does not depend on an image that is no multiple of the stride", () => {
    const field = (height: number, width: number): unknown => {
      const image = imageInput(height, width);
      const strided = { pads: allSides(1), strides: [2, 2] } as const;
      const output = conv(
        conv(image, weights(2, 2, 3, 3), undefined, strided),
        weights(2, 2, 3, 3),
        undefined,
        strided,
      );
      expect(totalStride(output, image)).toEqual([4, 4]);
      return receptiveField(output, image);
    };
    expect(field(201, 203)).toEqual({ before: [3, 3], after: [0, 0] });
    expect(field(200, 204)).toEqual({ before: [3, 3], after: [0, 0] });
  });

  it("of a value finer than the image is counted in the image's pixels", () => {
    const image = imageInput(60, 60);
    const finer = convTranspose(image, weights(2, 2, 2, 2), undefined, { strides: [2, 2] });
    const output = conv(finer, weights(2, 2, 5, 5), undefined, { pads: allSides(2) });
    expect(receptiveField(output, image)).toEqual({ before: [1, 1], after: [1, 1] });
  });
});

describe("the total stride", () => {
  it("is whole where strides on the way are not", () => {
    const image = imageInput(60, 60);
    const output = maxPool(resize(image, { scales: [2, 2] }), { kernel: [3, 3] });
    expect(totalStride(output, image)).toEqual([3, 3]);
  });

  it("counts steps along the image's own axes when channels are last", () => {
    const image = input("image", { type: "float32", shape: [64, 96, 3], spatial: [0, 1] });
    const output = slice(image, { starts: [0, 0, 0], sizes: [16, 32, 3], steps: [4, 3, 1] });
    expect(totalStride(output, image)).toEqual([4, 3]);
  });
});
