import { SlidelightError } from "../errors/slidelight-error.ts";
import { input, reshape } from "../graph/build.ts";
import type { Graph } from "../graph/graph.ts";
import { graphOf, operandsOf, topologicalOrder } from "../graph/graph.ts";
import type { Node, NodeOf } from "../graph/node.ts";
import { substitute } from "../graph/substitute.ts";
import { asReduction, describePool } from "./pool.ts";
import type { Pool } from "./pool.ts";

/**
 * A classifier as body + pool + head: `scores = head(pool over all pixels of body(image))`. The body is what lies
 * before the pools; the head is a small function of the pooled vectors.
 */
export interface Split {
  readonly input: NodeOf<"Input">;
  readonly pools: readonly [Pool, ...Pool[]];
  readonly head: Head;
}

/** A function of the pooled vectors: inputs `pool.0`, `pool.1`… [1, C, 1, 1], output `logits` [1, classes]. */
export interface Head {
  readonly graph: Graph;
  readonly pooled: readonly NodeOf<"Input">[];
  readonly logits: Node;
  readonly classes: number;
  /** What the model itself makes probabilities of the logits by; left away here, since explanations are of the logits. */
  readonly activation: "softmax" | "sigmoid" | undefined;
}

/**
 * Splits a model's graph at its pools: the reductions over all pixels that every path from the image to the scores
 * goes through last.
 * @throws {SlidelightError} `model-no-pool` when a path from the image reaches the scores without one, naming the node
 * where the image axes are lost.
 */
export function splitModel(graph: Graph): Split {
  const [image] = graph.inputs;
  const [output] = Object.values(graph.outputs);
  if (image === undefined || output === undefined || graph.inputs.length > 1) {
    throw new SlidelightError(
      "model-input",
      `Splitting the model: expected one image input and an output that depends on it, got ${graph.inputs.length} inputs. Export the model with the image as its only input.`,
    );
  }
  const { scores, activation } = logitsOf(output);
  const pools = findPools(scores, image);
  const pooled = pools.map((pool, index) => {
    const channels = pool.operand.shape[1] ?? 0;
    return input(`pool.${index}`, { type: "float32", shape: [1, channels, 1, 1] });
  });
  const replaced = substitute(
    [scores],
    new Map(pools.map((pool, index) => [pool.node, reshape(at(pooled, index), pool.node.shape)])),
  );
  const raw = replaced(scores);
  const classes = raw.shape.reduce((product, extent) => product * extent, 1);
  const logits = reshape(raw, [1, classes]);
  const [first, ...rest] = pools;
  if (first === undefined) throw noPool(image, output);
  return {
    input: image,
    pools: [first, ...rest],
    head: { graph: graphOf({ logits }), pooled, logits, classes, activation },
  };
}

/** What comes before a final softmax or sigmoid, which may be followed by a change of shape. */
function logitsOf(output: Node): { readonly scores: Node; readonly activation: Head["activation"] } {
  let node = output;
  while (node.op === "Reshape") [node] = node.inputs;
  if (node.op === "Softmax") return { scores: node.inputs[0], activation: "softmax" };
  if (node.op === "Sigmoid") return { scores: node.inputs[0], activation: "sigmoid" };
  return { scores: output, activation: undefined };
}

/** The last reductions over all pixels on the way to `scores`. */
function findPools(scores: Node, image: Node): Pool[] {
  const order = topologicalOrder([scores]);
  const dependsOnImage = new Set<Node>([image]);
  for (const node of order)
    if (operandsOf(node).some((operand) => dependsOnImage.has(operand))) dependsOnImage.add(node);

  const pools: Pool[] = [];
  const seen = new Set<Node>();
  const open: Node[] = [scores];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node) || !dependsOnImage.has(node)) continue;
    seen.add(node);
    const found = asReduction(node);
    if (found !== undefined) pools.push(describePool(node, found.reduction, found.operand));
    else if (node === image) throw noPool(image, scores);
    else open.push(...operandsOf(node));
  }
  const rank = new Map(order.map((node, index) => [node, index]));
  return pools.sort((a, b) => (rank.get(a.node) ?? 0) - (rank.get(b.node) ?? 0));
}

function noPool(image: Node, scores: Node): SlidelightError {
  const lost = topologicalOrder([scores]).find(
    (node) => node.shape.length < 4 && operandsOf(node).some((operand) => isImage(operand)),
  );
  const where = lost === undefined ? "" : ` The image axes are lost at ${nameOf(lost)}.`;
  return new SlidelightError(
    "model-no-pool",
    `Splitting the model: expected a pooling over all pixels (global mean, max, log-sum-exp or generalised mean) on every path from the input "${image.name}" to the scores, got a path without one.${where} Slidelight explains classifiers of the form head(pool(body(image))).`,
    { detail: { node: lost?.name, operator: lost?.op } },
  );
}

function isImage(node: Node): boolean {
  return node.shape.length === 4 && (node.shape[2] ?? 1) > 1 && (node.shape[3] ?? 1) > 1;
}

/** How a message calls a node. */
export function nameOf(node: Node): string {
  return node.name === "" ? `a node of operator ${node.op}` : `node "${node.name}" (${node.op})`;
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`Index ${index} is outside of ${items.length} items.`);
  return item;
}
