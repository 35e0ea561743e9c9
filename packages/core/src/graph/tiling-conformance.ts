import type { Interval } from "../geometry/interval.ts";
import type { Region } from "../geometry/rectangle.ts";
import { graphOf } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { printGraph } from "./print.ts";
import { randomInputs } from "./random-graph-conformance.ts";
import { evaluate } from "./reference.ts";
import type { ReferenceTensor } from "./reference.ts";
import { prepareRestriction } from "./restrict.ts";
import { sizeOf } from "./tensor.ts";
import type { Shape } from "./tensor.ts";
import type { Pair } from "./vocabulary.ts";

/** For tests: computes a graph whole and in parts, in the reference evaluator. */
export interface Tiling {
  readonly rows: number;
  readonly columns: number;
  /** Tiles start so many positions before a multiple of their size. */
  readonly offset?: number;
  /** [vertical, horizontal] axes of the output; default the last two. */
  readonly axes?: Pair;
}

export interface TilingComparison {
  /** Largest difference over the largest value. */
  readonly error: number;
  /** Largest value. */
  readonly largest: number;
  readonly tiles: number;
  readonly programs: number;
}

/**
 * Tiles whose keys are equal run the graph of the first of them, as programs are shared in a run.
 * @throws {RangeError} when such graphs differ, or a tile has another shape than its part of the whole.
 */
export function compareTiled(output: Node, tiling: Tiling): TilingComparison {
  const { rows, columns, offset = 0 } = tiling;
  const axes = tiling.axes ?? ([output.shape.length - 2, output.shape.length - 1] as const);
  const whole = graphOf({ output });
  const values = randomInputs(whole, 99);
  const expected = outputOf(evaluate(whole, values));
  const restriction = prepareRestriction({ output });
  const programs = new Map<string, { readonly graph: Graph; readonly text: string }>();
  let [worst, tiles] = [0, 0];
  for (const y of cuts(output.shape[axes[0]] ?? 1, rows, offset)) {
    for (const x of cuts(output.shape[axes[1]] ?? 1, columns, offset)) {
      const plan = restriction.plan({ output: { y, x } });
      const built = plan.build();
      const program = programs.get(plan.key) ?? { graph: built, text: printGraph(built) };
      if (printGraph(built) !== program.text) throw new RangeError(`Different graphs have the key ${plan.key}.`);
      programs.set(plan.key, program);
      const given: Record<string, ReferenceTensor> = {};
      for (const { name, attributes } of whole.inputs) {
        const [value, region] = [values[name], plan.inputRegions[name]];
        if (value === undefined) continue;
        if (attributes.spatial === undefined) given[name] = value;
        else if (region !== undefined) given[name] = cropped(value, attributes.spatial, region);
      }
      for (const [name, start] of Object.entries(plan.origins))
        given[name] = { shape: [1], data: Float64Array.of(start) };
      const part = outputOf(evaluate(program.graph, given));
      const reference = cropped(expected, axes, { y, x });
      if (part.shape.join() !== reference.shape.join()) {
        throw new RangeError(`A tile has the shape [${part.shape.join()}], not [${reference.shape.join()}].`);
      }
      worst = Math.max(
        worst,
        largestOf(reference.data, (value, index) => value - (part.data[index] ?? Number.NaN)),
      );
      tiles += 1;
    }
  }
  const largest = largestOf(expected.data, (value) => value);
  return { error: worst / largest, largest, tiles, programs: programs.size };
}

/** The positions of a tensor that lie in a region of its [vertical, horizontal] axes. */
function cropped({ shape, data }: ReferenceTensor, axes: Pair, region: Region): ReferenceTensor {
  const [starts, extents] = [shape.map(() => 0), [...shape]];
  [region.y, region.x].forEach((interval, index) => {
    const axis = axes[index] ?? 0;
    starts[axis] = interval.start;
    extents[axis] = interval.end - interval.start;
  });
  const positions = { length: sizeOf(extents) };
  const cut = Float64Array.from(
    positions,
    (_, position) => data[offsetOf({ shape, extents, starts, position })] ?? Number.NaN,
  );
  return { shape: extents, data: cut };
}

interface Cut {
  readonly shape: Shape;
  readonly extents: Shape;
  readonly starts: readonly number[];
  readonly position: number;
}

/** Where the element at row-major `position` of a part lies in the whole. */
function offsetOf({ shape, extents, starts, position }: Cut): number {
  let [rest, offset, stride] = [position, 0, 1];
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const extent = extents[axis] ?? 1;
    offset += ((rest % extent) + (starts[axis] ?? 0)) * stride;
    rest = Math.floor(rest / extent);
    stride *= shape[axis] ?? 1;
  }
  return offset;
}

function outputOf(values: Readonly<Record<string, ReferenceTensor>>): ReferenceTensor {
  const { output } = values;
  if (output === undefined) throw new RangeError("The graph gave no output.");
  return output;
}

/** The largest magnitude; NaN where any value is NaN. */
function largestOf(data: Float64Array, value: (element: number, index: number) => number): number {
  let largest = 0;
  for (const [index, element] of data.entries()) {
    const magnitude = Math.abs(value(element, index));
    if (Number.isNaN(magnitude)) return Number.NaN;
    largest = Math.max(largest, magnitude);
  }
  return largest;
}

function cuts(extent: number, size: number, offset: number): readonly Interval[] {
  return Array.from({ length: Math.ceil(extent / size) + 1 }, (_, index) => index * size - (offset % size))
    .map((start) => ({ start: Math.max(0, start), end: Math.min(extent, start + size) }))
    .filter(({ start, end }) => end > start);
}
