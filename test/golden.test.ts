import { describe, expect, test } from "vitest";
import { planExplanation } from "../packages/core/src/explain/plan.ts";
import { explainByReference } from "../packages/core/src/explain/reference-explanation.ts";
import { parseTarget } from "../packages/core/src/explain/target.ts";
import { readOnnx } from "../packages/core/src/format/onnx/read-onnx.ts";
import { tileGrid } from "../packages/core/src/geometry/tile-grid.ts";
import { evaluate } from "../packages/core/src/graph/reference.ts";
import { networkFor } from "../packages/core/src/model/network.ts";
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

describe.each(golden.models.map((model) => [model.name, model] as const))(
  "explaining the PyTorch model %s",
  (_, model) => {
    const read = readOnnx(model.onnx);
    const { width, height, pixels } = golden.image;
    const network = networkFor(read, { width, height }, { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] });

    test.each(model.maps.map((map) => [`${map.method} of ${map.target} at the ${map.layer} layer`, map] as const))(
      "%s is PyTorch's autograd's, in tiles and whole",
      (__, map) => {
        const explanation = planExplanation(network, {
          method: map.method,
          target: parseTarget(map.target, ["0", "1"]),
          classes: ["0", "1"],
          ...(map.layer === "inner" ? { layer: model.inner } : {}),
        });
        const range = Math.max(...map.values) - Math.min(...map.values);
        for (const tile of [model.stride * 4, 64]) {
          const grid = tileGrid({ width, height }, { tile, stride: network.stride });
          const { map: values, outcome } = explainByReference(explanation, pixels, grid);
          const worst = values.reduce(
            (most, value, i) => Math.max(most, Math.abs(value - (map.values[i] ?? Number.NaN))),
            0,
          );
          // The files hold float32 values, made from weights that the exporter rounded to float32.
          expect(worst).toBeLessThanOrEqual(1e-5 * range);
          model.logits.forEach((logit, i) => expect(outcome.logits[i]).toBeCloseTo(logit, 5));
        }
      },
    );
  },
);
