import type { Graph } from "../../../graph/graph.ts";
import { readCounts, topologicalOrder } from "../../../graph/graph.ts";
import type { Node, NodeOf } from "../../../graph/node.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { Emitter } from "./emitter.ts";

/** A sum with some whole rows, or columns, of an image's, and nothing elsewhere. */
export interface AddedPart {
  readonly to: Node;
  /** The sum's other operand. */
  readonly padded: Node;
  /** [1, C, h, w] */
  readonly part: Node;
  readonly axis: 2 | 3;
  /** The first of the rows or columns. */
  readonly start: number;
}

/** Those sums with Constants whose operands nothing else reads, by their nodes. */
export function addedParts(graph: Graph): ReadonlyMap<Node, AddedPart> {
  const roots = Object.values(graph.outputs);
  const reads = readCounts(roots);
  return new Map(
    topologicalOrder(roots).flatMap((node) => {
      const added = node.op === "Add" ? addedPart(node) : undefined;
      return added === undefined || reads.get(added.padded) !== 1 ? [] : [[node, added] as const];
    }),
  );
}

function addedPart({ inputs: [a, b], shape }: NodeOf<"Add">): AddedPart | undefined {
  const [to, padded] = b.op === "Pad" ? [a, b] : [b, a];
  if (padded.op !== "Pad" || to === padded) return undefined;
  const { mode, value, before } = padded.attributes;
  const [part] = padded.inputs;
  const isZeroElsewhere = mode === "constant" && value === 0 && part.op === "Constant";
  const isImage = shape.length === 4 && shape[0] === 1 && to.shape.join() === shape.join();
  if (!isZeroElsewhere || !isImage || padded.shape.join() !== shape.join()) return undefined;
  const axes = ([2, 3] as const).filter((axis) => part.shape[axis] !== shape[axis]);
  const [axis = 2, ...others] = axes;
  if (others.length > 0 || part.shape[1] !== shape[1]) return undefined;
  return { to, padded, part, axis, start: before[axis] ?? 0 };
}

const toLast = [0, 2, 3, 1];
const fromLast = [0, 3, 1, 2];

/** Emits such a sum as one that is written where `x` lies, channels last. */
export function lowerAddedPart(
  emitter: Emitter,
  [x, part]: readonly [x: string, part: string],
  { added, name }: { readonly added: AddedPart; readonly name: string | undefined },
): string {
  const [, channels = 0, rows = 0, columns = 0] = added.part.shape;
  const axis = added.axis - 1;
  const extent = added.part.shape[added.axis] ?? 0;
  const positions = tensorOf(
    "int64",
    axis === 1 ? [1, extent, 1, 1] : [1, 1, extent, 1],
    Array.from({ length: extent }, (_, index) => added.start + index),
  );
  const indices = emitter.emit("Expand", [emitter.tensor(positions), emitter.integers([1, rows, columns, channels])]);
  const turned = emitter.emit("Transpose", [x], { perm: toLast });
  const updates = emitter.emit("Transpose", [part], { perm: toLast });
  const sum = emitter.emit("ScatterElements", [turned, indices, updates], { axis, reduction: "add" });
  return emitter.emit("Transpose", [sum], { perm: fromLast }, name);
}
