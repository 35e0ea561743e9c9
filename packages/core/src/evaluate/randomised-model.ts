import { constant } from "../graph/build.ts";
import { operandsOf, topologicalOrder } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { substitute } from "../graph/substitute.ts";
import { elementsOf, tensorOf } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { normals } from "../model/random.ts";

/**
 * The model with what its layers have learnt replaced by chance, from the head down (Adebayo et al., NeurIPS 2018, "Sanity checks for
 * saliency maps"): a map that hardly changes does not explain the model. Filters, matrices and the convolutions' biases become normal numbers of mean 0 and of
 * their own root mean square, so that values keep their size where normalisation was folded into the weights.
 * @param share Share of the layers, counted from the scores back to the image: 1 for all, 0.5 for the later half.
 */
export function randomisedModel(
  model: Model,
  { seed, share }: { readonly seed: number; readonly share: number },
): Model {
  return {
    ...model,
    sha256: `${model.sha256}-random-${seed}-${share}`,
    instantiate: (size) => randomisedGraph(model.instantiate(size), { seed, share }),
  };
}

function randomisedGraph(graph: Graph, { seed, share }: { readonly seed: number; readonly share: number }): Graph {
  const order = topologicalOrder(Object.values(graph.outputs));
  const layers = order.map(weightsOf).filter((weights) => weights.length > 0);
  const kept = layers.length - Math.ceil(share * layers.length);
  const replacements = new Map<Node, Node>();
  for (const [index, weights] of layers.entries()) {
    if (index < kept) continue;
    const normal = normals(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
    for (const weight of weights) if (!replacements.has(weight)) replacements.set(weight, drawn(weight, normal));
  }
  const now = substitute(Object.values(graph.outputs), replacements);
  return {
    inputs: graph.inputs,
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, node]) => [name, now(node)])),
  };
}

/** The constants that a layer was trained to: of a convolution's or a product's operands, those that no input decides. */
function weightsOf(node: Node): readonly Node[] {
  if (node.op !== "Conv" && node.op !== "ConvTranspose" && node.op !== "MatMul") return [];
  return operandsOf(node)
    .map((operand) => topologicalOrder([operand]))
    .filter((parts) => parts.every(({ op }) => op !== "Input"))
    .flat()
    .filter(({ op, type }) => op === "Constant" && type.startsWith("float"));
}

function drawn(node: Node, normal: () => number): Node {
  if (node.op !== "Constant") return node;
  const { tensor } = node.attributes;
  const values = elementsOf(tensor);
  const size = Math.sqrt(values.reduce((sum, element) => sum + element ** 2, 0) / Math.max(1, values.length));
  return constant(
    tensorOf(
      tensor.type,
      tensor.shape,
      values.map(() => size * normal()),
    ),
    { name: node.name },
  );
}
