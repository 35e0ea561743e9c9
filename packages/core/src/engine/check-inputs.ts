import { sameShape } from "../graph/extents.ts";
import type { Graph } from "../graph/graph.ts";
import { sizeOf } from "../graph/tensor.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";

/**
 * Checks that a run is given what its graph declares.
 * @throws {RangeError} naming the program and the input, what was expected and got.
 */
export function checkInputs(graph: Graph, inputs: Readonly<Record<string, Tensor>>, label: string): void {
  for (const { name, type, shape } of graph.inputs) {
    const given = inputs[name];
    const expected = `Running "${label}": the input "${name}" is ${type} ${textOf(shape)}`;
    if (given === undefined) throw new RangeError(`${expected}, got none.`);
    if (given.type !== type || !sameShape(given.shape, shape)) {
      throw new RangeError(`${expected}, got ${given.type} ${textOf(given.shape)}.`);
    }
    if (given.data.length !== sizeOf(shape)) {
      throw new RangeError(`${expected}, which is ${sizeOf(shape)} values, got ${given.data.length}.`);
    }
  }
  const known = graph.inputs.map(({ name }) => name);
  const unknown = Object.keys(inputs).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(
      `Running "${label}": expected the inputs ${known.map((name) => `"${name}"`).join(", ")}, got "${unknown}".`,
    );
  }
}

function textOf(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}
