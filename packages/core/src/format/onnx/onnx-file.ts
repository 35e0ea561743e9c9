import { SlidelightError } from "../../errors/slidelight-error.ts";
import { constant } from "../../graph/build.ts";
import type { Node } from "../../graph/node.ts";
import { expectNumbers } from "./finite-weights.ts";
import { operatorReaders } from "./operators/index.ts";
import type { GraphProto, NodeProto, TensorProto, ValueInfo } from "./proto.ts";
import { readModelProto } from "./proto-reader.ts";
import { decodeTensor } from "./tensors.ts";

/** A decoded ONNX file whose operators are all known, ready to be read at any input size. */
export interface OnnxFile {
  /** How messages call it. */
  readonly label: string;
  /** Version of the ai.onnx operator set. */
  readonly opset: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** The nodes that the outputs depend on, in the file's order. */
  readonly steps: readonly Step[];
  /** Those without a value in the file. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** The constant of that name, decoded at its first use. */
  readonly initializer: (name: string) => Node | undefined;
  /** Values that depend on constants alone: the same at every size, so shared by every graph made from the file. */
  readonly settled: Map<string, Node>;
}

export interface Step {
  readonly node: NodeProto;
  /** How many of the outputs, from the first, are in use. */
  readonly used: number;
}

/**
 * Operator sets whose rules the readers know. Older ones have attributes of other meanings; in the newest, what has
 * changed for the supported operators is element types.
 */
const opsets = { first: 7, last: 28 } as const;

/**
 * Decodes an ONNX file and checks that its operators are known.
 * @throws {SlidelightError} `model-unreadable` for bytes that are no (whole) ONNX model, `model-operator` for an
 * operator or operator set that is not supported.
 */
export function openOnnx(bytes: Uint8Array, options: { readonly uri?: string } = {}): OnnxFile {
  const label = options.uri === undefined ? "(from memory)" : `"${options.uri}"`;
  const { graph, opsets: imports, metadata } = decode(bytes, label);
  const opset = imports.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version;
  if (graph === undefined || opset === undefined || graph.outputs.length === 0) {
    throw unreadable(label, `got ${bytes.length} bytes without ${graph === undefined ? "a graph" : "an operator set"}`);
  }
  if (graph.sparseInitializers > 0) {
    throw new SlidelightError(
      "model-operator",
      `Reading the model ${label}: it has sparse weights; supported: dense ones. Save the model with dense weights.`,
    );
  }
  if (opset < opsets.first || opset > opsets.last) {
    throw new SlidelightError(
      "model-operator",
      `Reading the model ${label}: it is written for operator set ${opset}; supported: ${opsets.first} to ${opsets.last}. Export it again (PyTorch: opset_version=17).`,
      { detail: { opset } },
    );
  }
  const steps = stepsOf(graph);
  for (const { node } of steps) expectKnown(node, label);
  const given = new Set(graph.initializers.map((tensor) => tensor.name));
  return {
    label,
    opset,
    metadata,
    steps,
    inputs: graph.inputs.filter((input) => !given.has(input.name)),
    outputs: graph.outputs,
    initializer: initializersOf(graph.initializers, label),
    settled: new Map(),
  };
}

function decode(bytes: Uint8Array, label: string): ReturnType<typeof readModelProto> {
  try {
    return readModelProto(bytes);
  } catch (cause) {
    throw unreadable(label, `${bytes.length} bytes do not decode (${String(cause)})`, cause);
  }
}

function unreadable(label: string, got: string, cause?: unknown): SlidelightError {
  return new SlidelightError(
    "model-unreadable",
    `Reading the model ${label}: expected a whole ONNX file, got something else: ${got}. Check that the file is an .onnx file and was copied completely.`,
    { cause },
  );
}

/** What the outputs depend on; what else the file holds is not read. */
function stepsOf(graph: GraphProto): readonly Step[] {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const steps: Step[] = [];
  for (const node of graph.nodes.toReversed()) {
    const used = node.outputs.findLastIndex((name) => needed.has(name)) + 1;
    if (used === 0) continue;
    for (const name of node.inputs) needed.add(name);
    steps.push({ node, used });
  }
  return steps.reverse();
}

export function nodeLabel(node: NodeProto): string {
  return node.name === "" ? (node.outputs[0] ?? "") : node.name;
}

function expectKnown(node: NodeProto, label: string): void {
  if (node.domain === "" && operatorReaders.has(node.operator)) return;
  const operator = node.domain === "" ? node.operator : `${node.domain}.${node.operator}`;
  throw new SlidelightError(
    "model-operator",
    `Reading the model ${label}: node "${nodeLabel(node)}" has the operator ${operator}, which is not supported; docs/models.md lists those that are. Export the model without it.`,
    { detail: { operator, node: nodeLabel(node) } },
  );
}

function initializersOf(tensors: readonly TensorProto[], label: string): (name: string) => Node | undefined {
  const protos = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const nodes = new Map<string, Node>();
  return (name) => {
    const proto = protos.get(name);
    if (proto === undefined) return nodes.get(name);
    const subject = `Reading the model ${label}: the constant "${name}"`;
    const tensor = decodeTensor(proto, subject);
    expectNumbers(tensor, subject);
    const node = constant(tensor, { name });
    nodes.set(name, node);
    protos.delete(name);
    return node;
  };
}
