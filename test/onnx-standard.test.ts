import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SlidelightError } from "../packages/core/src/errors/slidelight-error.ts";
import { operatorReaders } from "../packages/core/src/format/onnx/operators/index.ts";
import type { TensorProto } from "../packages/core/src/format/onnx/proto.ts";
import { readOnnxGraph } from "../packages/core/src/format/onnx/read-graph.ts";
import { decodeTensor, elementTypeOf } from "../packages/core/src/format/onnx/tensors.ts";
import { constant, input } from "../packages/core/src/graph/build.ts";
import type { Node } from "../packages/core/src/graph/node.ts";
import { evaluate, referenceTensor } from "../packages/core/src/graph/reference.ts";
import type { ReferenceTensor } from "../packages/core/src/graph/reference.ts";
import { loadCase, standardCases } from "./onnx-standard/load.ts";
import type { StandardFiles } from "./onnx-standard/load.ts";
import refused from "./onnx-standard-refused.json" with { type: "json" };

const found = await standardCases();
const cases =
  typeof found === "string"
    ? []
    : found.filter(({ operators }) => operators.every((name) => operatorReaders.has(name)));
/** Each refused case with what the message says of it; the file has them by reason. */
const reasons: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(refused).flatMap(([reason, names]) => names.map((name) => [name, reason])),
);

/**
 * How far a value may lie from the expected one, relative to the largest of the case. The expected values are computed
 * in the element type of the case, ours in float64: of float32 each operation rounds by 2^-24, and the cases add up at
 * most some hundred products (2^-24 * 100 = 6e-6). The reader holds float64 as float32, of float16 (2^-11 an operation)
 * and bfloat16 (2^-8) few operations follow each other. Integers and booleans are exact.
 */
const tolerances: Readonly<Record<number, number>> = { 1: 6e-6, 11: 6e-6, 10: 5e-3, 16: 3e-2 };

/** Cases whose expected values are written by hand with about four decimals: the absolute tolerance. */
const handWritten: Readonly<Record<string, number>> = { test_averagepool_2d_ceil_last_window_starts_on_pad: 1e-4 };

/**
 * In a model an operand is given at run time or known when the file is read; some operators need to know some operands
 * (axes, sizes), and arithmetic with sizes knows all of them.
 */
const ways: readonly { readonly name: string; readonly isKnown: (index: number) => boolean }[] = [
  { name: "every operand given at run time", isKnown: () => false },
  { name: "the first operand given at run time, the others known", isKnown: (index) => index > 0 },
  { name: "every operand known", isKnown: () => true },
];

function operandNode(proto: TensorProto, known: boolean): Node {
  if (known) return constant(decodeTensor(proto, proto.name));
  const type = elementTypeOf(proto.dataType);
  const tensor = decodeTensor(proto, proto.name);
  return input(proto.name, { type: type ?? tensor.type, shape: tensor.shape });
}

function run(files: StandardFiles, isKnown: (index: number) => boolean): readonly ReferenceTensor[] {
  const inputs = files.inputs.map((proto, index) => [proto.name, operandNode(proto, isKnown(index))] as const);
  const graph = readOnnxGraph(files.model, { inputs: Object.fromEntries(inputs) });
  const values = files.inputs.map((proto) => [proto.name, referenceTensor(decodeTensor(proto, proto.name))] as const);
  return Object.values(evaluate(graph, Object.fromEntries(values)));
}

/** The first difference; `undefined` for none. */
function differenceOf(actual: ReferenceTensor, proto: TensorProto, absolute: number): string | undefined {
  const expected = referenceTensor(decodeTensor(proto, proto.name));
  if (actual.shape.join() !== expected.shape.join())
    return `shape [${actual.shape.join()}], expected [${expected.shape.join()}]`;
  const finite = expected.data.filter(Number.isFinite);
  const largest = finite.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const allowed = Math.max(absolute, (tolerances[proto.dataType] ?? 0) * largest);
  const index = expected.data.findIndex((value, at) => {
    const got = actual.data[at] ?? Number.NaN;
    return !(Object.is(got, value) || got === value || Math.abs(got - value) <= allowed);
  });
  return index < 0 ? undefined : `value ${index}: ${actual.data[index]}, expected ${expected.data[index]}`;
}

interface Outcome {
  readonly refusals: readonly SlidelightError[];
  readonly differences: readonly string[];
}

function outcomeOf(files: StandardFiles, absolute = 0): Outcome {
  const refusals: SlidelightError[] = [];
  const differences: string[] = [];
  for (const { name, isKnown } of ways) {
    try {
      for (const [index, actual] of run(files, isKnown).entries()) {
        const proto = files.outputs[index];
        const difference = proto === undefined ? "one output too many" : differenceOf(actual, proto, absolute);
        if (difference !== undefined) differences.push(`${name}: output ${index}: ${difference}`);
      }
    } catch (error) {
      if (!(error instanceof SlidelightError)) throw error;
      refusals.push(error);
    }
  }
  return { refusals, differences };
}

if (typeof found === "string") test("the ONNX standard's own tests", (context) => context.skip(found));

describe.skipIf(typeof found === "string")("the ONNX standard's own tests", () => {
  test("cover every operator that can be read", () => {
    const covered = new Set(cases.flatMap(({ operators }) => operators));
    expect([...operatorReaders.keys()].filter((name) => !covered.has(name))).toEqual([]);
  });

  test("are the cases that the list of refused ones names", () => {
    const names = new Set(cases.map(({ name }) => name));
    expect(Object.keys(reasons).filter((name) => !names.has(name))).toEqual([]);
  });

  test.each(cases.filter(({ name }) => reasons[name] === undefined).map((item) => [item.name, item] as const))(
    "%s",
    async (name, item) => {
      const { refusals, differences } = outcomeOf(await loadCase(item), handWritten[name]);
      expect(differences).toEqual([]);
      if (refusals.length === ways.length) throw refusals[1] ?? refusals[0];
    },
  );

  test.each(cases.filter(({ name }) => reasons[name] !== undefined).map((item) => [item.name, item] as const))(
    "%s is refused, as listed",
    async (name, item) => {
      const { refusals } = outcomeOf(await loadCase(item));
      expect(refusals).toHaveLength(ways.length);
      expect(refusals.map(({ message }) => message).join("\n")).toContain(reasons[name]);
    },
  );
});

test("docs/models.md lists the operators that can be read, which the error for another one points to", () => {
  const text = readFileSync(new URL("../docs/models.md", import.meta.url), "utf8");
  const listed = /operator sets 7 to 28:\n\n(?<names>[\w\s,]+)\./u.exec(text)?.groups?.["names"] ?? "";
  expect(listed.split(/,\s+/u)).toEqual([...operatorReaders.keys()].sort());
});
