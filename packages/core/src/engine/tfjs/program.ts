import type { Node } from "../../graph/node.ts";
import type { Steps } from "../../graph/steps.ts";
import type { RunResult } from "../engine.ts";
import { computed, openBuilder } from "./builder.ts";
import type { Builder, Instruction, Value } from "./builder.ts";
import { contextOf } from "./lowering/context.ts";
import { lower } from "./lowering/table.ts";
import type { TensorFlow, TfTensor } from "./tensorflow.ts";
import { fromTfTensor, toTfTensor } from "./tensors.ts";
import type { HeldTensor } from "./tensors.ts";

/** A graph in operations of TensorFlow.js, with its constants. */
export interface TfProgram extends Disposable {
  run(inputs: Readonly<Record<string, HeldTensor>>): RunResult;
}

interface Binding {
  readonly name: string;
  readonly node: Node;
  readonly value: Value;
}

/** @throws What lowering does; then none of its constants stays. */
export function compileSteps(tf: TensorFlow, steps: Steps): TfProgram {
  const builder = openBuilder(tf);
  try {
    return lowered(tf, builder, steps);
  } catch (error) {
    for (const tensor of builder.constants.values()) tensor.dispose();
    throw error;
  }
}

function lowered(tf: TensorFlow, builder: Builder, { steps, outputs }: Steps): TfProgram {
  const values: Value[] = [];
  const inputs: Binding[] = [];
  for (const { node, operands } of steps) {
    const given = operands.map((position) => (position === undefined ? undefined : values[position]));
    if (node.op === "Input") {
      const value = builder.input(node.shape);
      inputs.push({ name: node.name, node, value });
      values.push(value);
    } else {
      values.push(lower(contextOf({ tf, builder, node, operands: given })));
    }
  }
  const results = Object.entries(outputs).flatMap(([name, position]): readonly Binding[] => {
    const [value, step] = [values[position], steps[position]];
    return value === undefined || step === undefined
      ? []
      : [{ name, node: step.node, value: builder.as(value, "first") }];
  });
  const { instructions } = builder;
  const lasting = new Set(results.map(({ value }) => value.id));
  const constants = usedConstants(builder.constants, instructions, lasting);
  const kept = new Set([...constants.values()].map(({ dataId }) => dataId));
  const schedule = releasesOf(instructions, lasting);
  return {
    run: (tensors) => {
      const alive = new Map<number, TfTensor>();
      try {
        for (const { name, value } of inputs) {
          const tensor = tensors[name];
          if (tensor !== undefined) alive.set(value.id, toTfTensor(tf, tensor));
        }
        const started = performance.now();
        for (const { kernel, operands, result, released } of schedule) {
          const given = operands.map((id) => found(alive.get(id) ?? constants.get(id)));
          alive.set(result, computed(tf, kernel, given));
          for (const id of released) {
            alive.get(id)?.dispose();
            alive.delete(id);
          }
        }
        const read = results.map(({ name, node, value }) => {
          const tensor = found(alive.get(value.id) ?? constants.get(value.id));
          const given = fromTfTensor(tensor, node);
          // A constant that nothing was computed of is read as the very memory that it is kept in, which is not given away.
          return [name, kept.has(tensor.dataId) ? structuredClone(given) : given] as const;
        });
        return { outputs: Object.fromEntries(read), busySeconds: (performance.now() - started) / 1000 };
      } finally {
        for (const tensor of alive.values()) tensor.dispose();
      }
    },
    [Symbol.dispose]: () => {
      for (const tensor of constants.values()) tensor.dispose();
    },
  };
}

function found(tensor: TfTensor | undefined): TfTensor {
  if (tensor === undefined) throw new RangeError("A value is used before it is there.");
  return tensor;
}

/** Those that a run uses; the others, weights in the graph's order for the most part, are disposed of. */
function usedConstants(
  constants: ReadonlyMap<number, TfTensor>,
  instructions: readonly Instruction[],
  lasting: ReadonlySet<number>,
): ReadonlyMap<number, TfTensor> {
  const used = new Set([...lasting, ...instructions.flatMap(({ operands }) => operands)]);
  for (const [id, tensor] of constants) if (!used.has(id)) tensor.dispose();
  return new Map([...constants].filter(([id]) => used.has(id)));
}

interface Scheduled extends Instruction {
  /** Values that nothing uses afterwards. */
  readonly released: readonly number[];
}

function releasesOf(instructions: readonly Instruction[], lasting: ReadonlySet<number>): readonly Scheduled[] {
  const seen = new Set(lasting);
  const backwards = instructions.toReversed().map((instruction): Scheduled => {
    // A result that nothing uses is released at once.
    const released = [...new Set([...instruction.operands, instruction.result])].filter((id) => !seen.has(id));
    for (const id of instruction.operands) seen.add(id);
    return { ...instruction, released };
  });
  return backwards.toReversed();
}
