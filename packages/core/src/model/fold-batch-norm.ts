import { constant, conv, convTranspose } from "../graph/build.ts";
import type { Graph } from "../graph/graph.ts";
import { graphOf, readCounts } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { mapNodes, rewrite } from "../graph/rewrite.ts";
import { elementsOf, float32 } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";

/**
 * Folds what a frozen normalisation is, a scale and a shift for each channel, into the convolution before it: the
 * same function with two passes over memory less. y = s (W * x + b) + t = (s W) * x + (s b + t).
 */
export function foldBatchNorm(graph: Graph): Graph {
  const reads = readCounts(Object.values(graph.outputs));
  const map = rewrite(Object.values(graph.outputs), (node, original) => {
    const [convolution] = original.inputs;
    // A convolution that something else reads too would have to be computed twice.
    if (convolution === undefined || (reads.get(convolution) ?? 0) > 1) return node;
    return foldInto(node) ?? node;
  });
  return graphOf(mapNodes(graph.outputs, map));
}

/** The convolution that `node`, a product or sum of a convolution and a constant for each channel, equals. */
function foldInto(node: Node): Node | undefined {
  if (node.op !== "Mul" && node.op !== "Add") return undefined;
  const [convolution, operand] = node.inputs;
  if (convolution.op !== "Conv" && convolution.op !== "ConvTranspose") return undefined;
  const [x, weight, bias] = convolution.inputs;
  const channels = convolution.shape[1] ?? 0;
  const values = perChannel(operand, channels);
  if (values === undefined || weight.op !== "Constant") return undefined;
  if (bias !== undefined && bias.op !== "Constant") return undefined;
  const before = bias === undefined ? new Float64Array(channels) : elementsOf(bias.attributes.tensor);
  const name = node.name;
  if (node.op === "Add") {
    const shifted = constant(
      float32(
        [channels],
        Float32Array.from(before, (value, index) => value + (values[index] ?? 0)),
      ),
    );
    return convolution.op === "Conv"
      ? conv(x, weight, shifted, { ...convolution.attributes, name })
      : convTranspose(x, weight, shifted, { ...convolution.attributes, name });
  }
  const scaled = constant(
    float32(
      [channels],
      Float32Array.from(before, (value, index) => value * (values[index] ?? 0)),
    ),
  );
  const { tensor } = weight.attributes;
  if (convolution.op === "Conv") {
    const inner = tensor.data.length / channels;
    const weights = constant(
      scale(tensor, (index) => values[Math.floor(index / inner)] ?? 0),
      { name: weight.name },
    );
    return conv(x, weights, bias === undefined ? undefined : scaled, { ...convolution.attributes, name });
  }
  if (convolution.attributes.group !== 1) return undefined;
  const [, , rows = 1, columns = 1] = tensor.shape;
  const weights = constant(
    scale(tensor, (index) => values[Math.floor(index / (rows * columns)) % channels] ?? 0),
    { name: weight.name },
  );
  return convTranspose(x, weights, bias === undefined ? undefined : scaled, { ...convolution.attributes, name });
}

function scale(tensor: Tensor, factor: (index: number) => number): Tensor {
  return float32(
    tensor.shape,
    Float32Array.from(elementsOf(tensor), (value, index) => value * factor(index)),
  );
}

/** The values of a constant [1, channels, 1, 1] (or [channels, 1, 1]), as numbers. */
function perChannel(node: Node, channels: number): Float64Array | undefined {
  if (node.op !== "Constant") return undefined;
  const shape = node.shape.length === 3 ? [1, ...node.shape] : node.shape;
  const [n, c, h, w] = shape;
  if (shape.length !== 4 || n !== 1 || c !== channels || h !== 1 || w !== 1) return undefined;
  return elementsOf(node.attributes.tensor);
}
