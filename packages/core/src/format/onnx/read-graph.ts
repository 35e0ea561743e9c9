import { SlidelightError } from "../../errors/slidelight-error.ts";
import { input } from "../../graph/build.ts";
import { foldedConstant } from "../../graph/fold-constants.ts";
import { graphOf } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node } from "../../graph/node.ts";
import { expectFiniteWeights } from "./finite-weights.ts";
import { nodeLabel, openOnnx } from "./onnx-file.ts";
import type { OnnxFile, Step } from "./onnx-file.ts";
import { malformed } from "./operator-call.ts";
import type { OperatorCall } from "./operator-call.ts";
import { operatorReaders } from "./operators/index.ts";
import { dataTypeName } from "./proto.ts";
import type { ValueInfo } from "./proto.ts";
import { elementTypeOf } from "./tensors.ts";

export interface ReadOnnxGraphOptions {
  /** For messages. */
  readonly uri?: string;
  /** What the file's inputs are, by name: Input nodes or constants. For others the file itself must give type and shape. */
  readonly inputs?: Readonly<Record<string, Node>>;
}

/**
 * Reads any ONNX graph (a model, or a piece of one) at concrete input shapes; its outputs by their names.
 * @throws {SlidelightError} `model-unreadable`, `model-operator`, `model-shape`, `model-input`.
 */
export function readOnnxGraph(bytes: Uint8Array, options: ReadOnnxGraphOptions = {}): Graph {
  const file = openOnnx(bytes, options.uri === undefined ? {} : { uri: options.uri });
  return instantiateFile(file, options.inputs ?? {});
}

/** The file's graph with these inputs; arithmetic with sizes is done here, so that none is left in the graph. */
export function instantiateFile(file: OnnxFile, inputs: Readonly<Record<string, Node>>): Graph {
  const values = new Map<string, Node>(Object.entries(inputs));
  const lookUp = (name: string): Node | undefined =>
    file.settled.get(name) ?? values.get(name) ?? file.initializer(name) ?? declaredInput(file, name);
  for (const step of file.steps) {
    const { outputs } = step.node;
    if (outputs.slice(0, step.used).every((name) => name === "" || file.settled.has(name))) continue;
    const results = readStep(file, step, lookUp);
    const independent = step.node.inputs.every((name) => isSettled(file, name));
    for (const [index, name] of outputs.entries()) {
      const result = results[index];
      if (name !== "" && result !== undefined) (independent ? file.settled : values).set(name, result);
    }
  }
  const outputs = file.outputs.map(({ name }) => {
    const value = lookUp(name);
    if (value === undefined) throw undefinedValue(file, name, "the graph's outputs");
    return [name, value] as const;
  });
  return graphOf(Object.fromEntries(outputs));
}

/** Whether a value is the same in every graph made from the file. */
function isSettled(file: OnnxFile, name: string): boolean {
  return name === "" || file.settled.has(name) || file.initializer(name) !== undefined;
}

function declaredInput(file: OnnxFile, name: string): Node | undefined {
  const declared = file.inputs.find((candidate) => candidate.name === name);
  return declared === undefined
    ? undefined
    : input(name, { type: declaredType(file, declared), shape: declaredShape(file, declared) });
}

export function declaredType(file: OnnxFile, declared: ValueInfo) {
  const type = elementTypeOf(declared.dataType);
  if (type !== undefined) return type;
  throw new SlidelightError(
    "model-input",
    `Reading the model ${file.label}: expected the input "${declared.name}" to hold numbers, got ${dataTypeName(declared.dataType)}.`,
    { detail: { input: declared.name } },
  );
}

function declaredShape(file: OnnxFile, declared: ValueInfo): readonly number[] {
  return (declared.shape ?? [undefined]).map((extent) => {
    if (typeof extent === "number") return extent;
    throw new SlidelightError(
      "model-input",
      `Reading the model ${file.label}: expected a shape for the input "${declared.name}", got none from the file or the caller.`,
      { detail: { input: declared.name } },
    );
  });
}

function undefinedValue(file: OnnxFile, name: string, where: string): SlidelightError {
  return new SlidelightError(
    "model-unreadable",
    `Reading the model ${file.label}: the value "${name}" is used by ${where} but defined nowhere before. The file breaks the ONNX standard: export the model again.`,
    { detail: { value: name } },
  );
}

function readStep(file: OnnxFile, step: Step, lookUp: (name: string) => Node | undefined): readonly Node[] {
  const { node } = step;
  const inputs = node.inputs.map((name) => {
    if (name === "") return undefined;
    const value = lookUp(name);
    if (value === undefined) throw undefinedValue(file, name, `node "${nodeLabel(node)}"`);
    return value;
  });
  const call: OperatorCall = {
    model: file.label,
    operator: node.operator,
    node: nodeLabel(node),
    opset: file.opset,
    inputs,
    outputs: node.outputs,
    used: step.used,
    attributes: new Map(node.attributes.map(({ name, value }) => [name, value])),
  };
  expectFiniteWeights(call);
  const results = explained(call, () => readCall(call));
  const known = inputs.every((value) => value === undefined || value.op === "Constant");
  return known ? results.map(foldedConstant) : results;
}

function readCall(call: OperatorCall): readonly Node[] {
  const read = operatorReaders.get(call.operator);
  if (read === undefined) throw malformed(call, "has an operator without a reader");
  const result = read(call);
  return "op" in result ? [result] : result;
}

/** Says of errors from below, which know the graph's node alone, which node of the file they are about. */
function explained<T>(call: OperatorCall, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof SlidelightError && cause.detail["operator"] === undefined) {
      const { code, message, detail } = cause;
      throw new SlidelightError(code, `Reading the model ${call.model}: ${call.operator} "${call.node}": ${message}`, {
        detail: { ...detail, operator: call.operator, node: call.node },
        cause,
      });
    }
    // Sizes that no array can have: nonsense in the file.
    if (cause instanceof RangeError) throw malformed(call, `has impossible sizes (${cause.message})`);
    throw cause;
  }
}
