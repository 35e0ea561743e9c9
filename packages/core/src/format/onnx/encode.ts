import { topologicalOrder } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { channelsLastDomain, openEmitter } from "./lowering/emitter.ts";
import { lower } from "./lowering/table.ts";
import { writeModelProto } from "./proto-writer.ts";
import type { ModelProto } from "./proto.ts";
import { dataTypeOf } from "./tensors.ts";

export interface EncodeOptions {
  /** `metadata_props` of the file. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Leave image axes open, and tell sizes by what they are measured from: for a file that is to be run at any size. Graphs that differ in nothing but how long their
   * image axes are become the same file; so one file serves two graphs if it is what both become.
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
  return writeModelProto(modelProto(graph, options));
}

/** The same, before it is written. */
export function modelProto(graph: Graph, options: EncodeOptions = {}): ModelProto {
  const outputs = Object.entries(graph.outputs);
  const names = chooseNames(graph);
  const emitter = openEmitter(new Set([...names.values(), ...outputs.map(([name]) => name)]));
  const { dynamicAxes = false, splits = false, windowMaxima = false, channelsLast = false } = options;
  const style = { dynamicAxes, splits, windowMaxima, channelsLast };
  const values = new Map<Node, string>();
  for (const node of topologicalOrder(Object.values(graph.outputs))) {
    const name = names.get(node);
    const inputs: readonly (Node | undefined)[] = node.inputs;
    const operands = inputs.map((operand) => (operand === undefined ? "" : (values.get(operand) ?? "")));
    values.set(node, lower({ node, emitter, operands, name, ...style }));
  }
  for (const [name, node] of outputs) {
    const value = values.get(node) ?? "";
    // An input or constant that is an output, or a value with two names.
    if (value !== name) emitter.emit("Identity", [value], {}, name);
  }
  return {
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
        shape: dynamicAxes ? openInput(node, graph) : node.shape,
      })),
      outputs: outputs.map(([name, node]) => ({
        name,
        dataType: dataTypeOf(node.type),
        shape: dynamicAxes ? openOutput(node) : node.shape,
      })),
    },
  };
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

/** Whether an Input's axis is left open: one of an image, but for one of a single row or column, which may stand for many. */
export function isOpenAxis({ shape, attributes: { spatial } }: NodeOf<"Input">, axis: number): boolean {
  return spatial?.includes(axis) === true && shape[axis] !== 1;
}

type OpenShape = readonly (number | string | undefined)[];

/** Without the extents of open axes, which have names where the graph has one image. */
function openInput(node: NodeOf<"Input">, { inputs }: Graph): OpenShape {
  const images = inputs.filter(({ attributes }) => attributes.spatial !== undefined);
  const names = images.length === 1 ? ["height", "width"] : [];
  return node.shape.map((extent, axis) =>
    isOpenAxis(node, axis) ? names[node.attributes.spatial?.indexOf(axis) ?? 0] : extent,
  );
}

/** What is known of an output at any size: the channels of an image. */
function openOutput({ shape }: Node): OpenShape {
  return shape.map((extent, axis) => (shape.length === 4 && axis < 2 ? extent : undefined));
}
