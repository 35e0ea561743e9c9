import { describe, expect, test } from "vitest";
import { readOnnx } from "../packages/core/src/format/onnx/read-onnx.ts";
import { evaluate } from "../packages/core/src/graph/reference.ts";
import { loadGolden } from "./golden/load.ts";
import type { GoldenFiles } from "./golden/load.ts";

const golden = await loadGolden();

/** [1, 3, height', width'] in 0..1: the last column and row repeated up to a multiple of the stride. */
function extendedInput({ image }: GoldenFiles, stride: number) {
  const height = Math.ceil(image.height / stride) * stride;
  const width = Math.ceil(image.width / stride) * stride;
  const data = new Float64Array(3 * height * width);
  for (let index = 0; index < data.length; index += 1) {
    const channel = Math.floor(index / (height * width));
    const row = Math.min(Math.floor(index / width) % height, image.height - 1);
    const column = Math.min(index % width, image.width - 1);
    data[index] = (image.pixels[(row * image.width + column) * 3 + channel] ?? 0) / 255;
  }
  return { shape: [1, 3, height, width], data };
}

describe.each(golden.models.map((model) => [model.name, model] as const))("the PyTorch model %s", (_, model) => {
  test("gives PyTorch's class scores in the reference evaluator", () => {
    const x = extendedInput(golden, model.stride);
    const [, , height = 0, width = 0] = x.shape;
    const graph = readOnnx(model.onnx).instantiate({ width, height });
    const [input] = graph.inputs;
    const [logits] = Object.values(evaluate(graph, { [input?.name ?? ""]: x }));
    expect(logits?.data.length).toBe(model.extendedLogits.length);
    // The exporter folds batch normalisation into the weights, and writes exponents, in float32.
    const largest = Math.max(...model.extendedLogits.map(Math.abs));
    for (const [index, value] of model.extendedLogits.entries()) {
      expect(Math.abs((logits?.data[index] ?? Number.NaN) - value)).toBeLessThan(1e-6 * largest);
    }
  });
});
