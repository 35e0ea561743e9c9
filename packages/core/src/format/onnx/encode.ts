import type { Graph } from "../../graph/graph.ts";
import { topologicalOrder } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { addedParts, lowerAddedPart } from "./lowering/added-part.ts";
import type { AddedPart } from "./lowering/added-part.ts";
import { channelsLastDomain, openEmitter } from "./lowering/emitter.ts";
import { lower } from "./lowering/table.ts";
import { writeModelProto } from "./proto-writer.ts";
import { dataTypeOf } from "./tensors.ts";

export interface EncodeOptions {
  /** `metadata_props` of the file. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Leave the image axes of inputs, and of outputs [N, C, H, W], open: for a model that is to be run at any size, whose graph has nothing that depends
   * on the size.
   */
  readonly dynamicAxes?: boolean;
  /**
   * Make runs along the first axis parts of a Split rather than slices: for engines whose parts share the memory of what is
   * split, where slices are copied.
   */
  readonly splits?: boolean;
  /**
   * In a MaxPoolGradient, take the maximum of each window's values, which are there one by one, rather than from a pool, and put gradients in place
   * by broadcasting where windows lie side by side: for engines that fuse what is computed value by value.
   */
  readonly windowMaxima?: boolean;
  /**
   * Add rows and columns at an image's border with ScatterElements rather than as an image of zeros elsewhere: for engines that write into
   * what is added to.
   */
  readonly scatters?: boolean;
  /** Let convolutions and pools work on channels that lie last: for ONNX Runtime on a GPU, whose matrix units want them so. */
  readonly channelsLast?: boolean;
}

/** IR version 8 goes with operator set 17 (ONNX 1.12): every engine in use reads it. */
const irVersion = 8;
const opset = 17;

/**
 * A graph as the bytes of an ONNX file. Inputs have their nodes' names, outputs the graph's. Values that have a name keep
 * it, so that layers can be found again.
 */
export function encodeOnnx(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  const outputs = Object.entries(graph.outputs);
  const names = chooseNames(graph);
  const emitter = openEmitter(new Set([...names.values(), ...outputs.map(([name]) => name)]));
  const { dynamicAxes = false, splits = false, windowMaxima = false, channelsLast = false } = options;
  const style = { dynamicAxes, splits, windowMaxima, channelsLast };
  const added = options.scatters === true ? addedParts(graph) : new Map<Node, AddedPart>();
  const unread = new Set([...added.values()].map(({ padded }) => padded));
  const values = new Map<Node, string>();
  for (const node of topologicalOrder(Object.values(graph.outputs))) {
    if (unread.has(node)) continue;
    const name = names.get(node);
    const sum = added.get(node);
    if (sum !== undefined) {
      const operands = [values.get(sum.to) ?? "", values.get(sum.part) ?? ""] as const;
      values.set(node, lowerAddedPart(emitter, operands, { added: sum, name }));
      continue;
    }
    const inputs: readonly (Node | undefined)[] = node.inputs;
    const operands = inputs.map((operand) => (operand === undefined ? "" : (values.get(operand) ?? "")));
    values.set(node, lower({ node, emitter, operands, name, ...style }));
  }
  for (const [name, node] of outputs) {
    const value = values.get(node) ?? "";
    // An input or constant that is an output, or a value with two names.
    if (value !== name) emitter.emit("Identity", [value], {}, name);
  }
  return writeModelProto({
    irVersion,
    producerName: "slidelight",
    opsets: [{ domain: "", version: opset }, ...(channelsLast ? [{ domain: channelsLastDomain, version: opset }] : [])],
    metadata: options.metadata ?? {},
    graph: {
      name: "slidelight",
      nodes: emitter.nodes,
      initializers: emitter.initializers,
      sparseInitializers: 0,
      inputs: graph.inputs.map((node) => ({
        name: node.name,
        dataType: dataTypeOf(node.type),
        shape: dynamicAxes ? openInput(node) : node.shape,
      })),
      outputs: outputs.map(([name, node]) => ({
        name,
        dataType: dataTypeOf(node.type),
        shape: dynamicAxes ? openOutput(node) : node.shape,
      })),
    },
  });
}

/** An output's name goes to its value; else a value's own name, where no other has it. */
function chooseNames(graph: Graph): ReadonlyMap<Node, string> {
  const names = new Map<Node, string>();
  const taken = new Set(graph.inputs.map((node) => node.name));
  for (const [name, node] of Object.entries(graph.outputs)) {
    if (node.op === "Input" || node.op === "Constant" || names.has(node)) continue;
    names.set(node, name);
  }
  for (const name of Object.keys(graph.outputs)) taken.add(name);
  for (const node of topologicalOrder(Object.values(graph.outputs))) {
    if (node.op === "Input" || names.has(node) || node.name === "" || taken.has(node.name)) continue;
    taken.add(node.name);
    names.set(node, node.name);
  }
  return names;
}

function openInput({ shape, attributes }: NodeOf<"Input">): readonly (number | string)[] {
  const { spatial } = attributes;
  return shape.map((extent, axis) => (axis === spatial?.[0] ? "height" : axis === spatial?.[1] ? "width" : extent));
}

function openOutput({ shape }: Node): readonly (number | undefined)[] {
  return shape.length === 4 ? [...shape.slice(0, 2), undefined, undefined] : shape;
}
