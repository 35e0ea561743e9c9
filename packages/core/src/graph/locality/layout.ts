import type { Interval } from "../../geometry/interval.ts";
import { isEmpty } from "../../geometry/interval.ts";
import { add, concat, coordinate, expand, pad, reshape, scalarConstant, slice, transpose } from "../build.ts";
import type { Node, NodeOf } from "../node.ts";
import { withOperands } from "../rewrite.ts";
import { clipTo, extentAlong, global, numberAt, present } from "./rule.ts";
import type { Along, Layout, Locality, LocalityRule, SpatialAxis } from "./rule.ts";

const sameEverywhere = (_: SpatialAxis, out: Interval): Along => ({ needs: [out], recipe: [out.end - out.start] });

export const inputLocality: LocalityRule<"Input"> = (node) => {
  const { spatial } = node.attributes;
  if (spatial === undefined) return global;
  return {
    layout: spatial,
    along: (_, out) => ({ needs: [], recipe: [out.end - out.start] }),
    apply: () => {
      throw new TypeError("Inputs are made by the restriction itself.");
    },
  };
};

/** Weights and vectors are taken whole; one that is combined with image values is cut by its consumer's need. */
export const constantLocality: LocalityRule<"Constant"> = () => global;

export const coordinateLocality: LocalityRule<"Coordinate"> = (node) => {
  const { rank } = node.attributes;
  if (rank < 2) return global;
  return {
    layout: [rank - 2, rank - 1],
    along: (_, out) => ({ needs: [], recipe: [out.end - out.start] }),
    apply: () => {
      throw new TypeError("Coordinates are made by the restriction itself.");
    },
  };
};

/** The coordinates of a part: counted from its start, plus the start, which differs from tile to tile. */
export function restrictedCoordinate(node: NodeOf<"Coordinate">, size: number, origin: Node): Node {
  const { axis, rank } = node.attributes;
  return add(coordinate({ axis, rank, size }), origin);
}

export const transposeLocality: LocalityRule<"Transpose"> = (node, layoutOf) => {
  const layout = layoutOf(node.inputs[0]);
  if (layout === undefined) return global;
  const { permutation } = node.attributes;
  return {
    layout: [permutation.indexOf(layout[0]), permutation.indexOf(layout[1])],
    along: sameEverywhere,
    apply: (_, operands) => transpose(present(operands, 0), permutation),
  };
};

export const reshapeLocality: LocalityRule<"Reshape"> = (node, layoutOf) => {
  const [x] = node.inputs;
  const layout = layoutOf(x);
  if (layout === undefined) return global;
  const y = keptAxis(x.shape, node.shape, layout[0], -1);
  const kept = y === undefined ? undefined : keptAxis(x.shape, node.shape, layout[1], y);
  if (y === undefined || kept === undefined) {
    return {
      reason: `reshapes [${x.shape.join(", ")}] to [${node.shape.join(", ")}], which mixes image positions with other axes`,
    };
  }
  return {
    layout: [y, kept],
    along: sameEverywhere,
    apply: ([rows, columns], operands) =>
      reshape(
        present(operands, 0),
        node.shape.map((extent, axis) =>
          axis === y ? numberAt(rows, 0) : axis === kept ? numberAt(columns, 0) : extent,
        ),
      ),
  };
};

/**
 * Where an axis stays as it is in a reshape: the same extent with as many values before it. That fits several axes where
 * the extent is 1, as in an image of one row: then the one that is as far from the end, since axes are put and taken
 * away in front of an image's.
 */
function keptAxis(from: readonly number[], to: readonly number[], axis: number, after: number): number | undefined {
  const before = valuesBefore(from, axis);
  const fits = (index: number): boolean =>
    index > after && to[index] === from[axis] && valuesBefore(to, index) === before;
  const asFarFromEnd = to.length - (from.length - axis);
  if (fits(asFarFromEnd)) return asFarFromEnd;
  const found = to.findIndex((_, index) => fits(index));
  return found < 0 ? undefined : found;
}

function valuesBefore(shape: readonly number[], axis: number): number {
  return shape.slice(0, axis).reduce((product, extent) => product * extent, 1);
}

export const expandLocality: LocalityRule<"Expand"> = (node, layoutOf) => {
  const [x] = node.inputs;
  const rank = node.shape.length;
  const offset = rank - x.shape.length;
  const own = layoutOf(x);
  const isImage = rank >= 3 && ((node.shape[rank - 2] ?? 1) > 1 || (node.shape[rank - 1] ?? 1) > 1);
  if (own === undefined && !isImage) return global;
  const layout: Layout = own === undefined ? [rank - 2, rank - 1] : [own[0] + offset, own[1] + offset];
  return {
    layout,
    along: (axis, out) => {
      const index = layout[axis] - offset;
      const extent = index < 0 ? undefined : x.shape[index];
      const need = extent === undefined ? undefined : extent === 1 ? { start: 0, end: 1 } : out;
      return { needs: [need], recipe: [out.end - out.start] };
    },
    apply: ([rows, columns], operands) =>
      expand(
        present(operands, 0),
        node.shape.map((extent, axis) =>
          axis === layout[0] ? numberAt(rows, 0) : axis === layout[1] ? numberAt(columns, 0) : extent,
        ),
      ),
  };
};

export const sliceLocality: LocalityRule<"Slice"> = (node, layoutOf) => {
  const layout = layoutOf(node.inputs[0]);
  if (layout === undefined) return global;
  const { starts, sizes, steps } = node.attributes;
  return {
    layout,
    along: (axis, out) => {
      const start = starts[layout[axis]] ?? 0;
      const step = steps[layout[axis]] ?? 1;
      const first = start + out.start * step;
      const last = start + (out.end - 1) * step;
      const need = { start: Math.min(first, last), end: Math.max(first, last) + 1 };
      return { needs: [need], recipe: [step > 0 ? 0 : first - last, out.end - out.start] };
    },
    apply: ([rows, columns], operands) => {
      const along = (values: readonly number[], index: number): readonly number[] =>
        values.map((value, axis) =>
          axis === layout[0] ? numberAt(rows, index) : axis === layout[1] ? numberAt(columns, index) : value,
        );
      return slice(present(operands, 0), { starts: along(starts, 0), sizes: along(sizes, 1), steps });
    },
  };
};

export const concatLocality: LocalityRule<"Concat"> = (node, layoutOf) => {
  const [layout, ...others] = node.inputs.map(layoutOf).filter((found) => found !== undefined);
  if (layout === undefined) return global;
  if (others.some(([y, x]) => y !== layout[0] || x !== layout[1])) {
    return { reason: "joins values whose image axes differ" };
  }
  const { axis: joined } = node.attributes;
  return {
    layout,
    along: (axis, out) => {
      if (layout[axis] !== joined) return { needs: node.inputs.map(() => out), recipe: [] };
      let offset = 0;
      const needs = node.inputs.map((operand): Interval => {
        const extent = extentAlong(operand, layout, axis);
        const need = clipTo(extent, { start: out.start - offset, end: out.end - offset });
        offset += extent;
        return need;
      });
      return { needs, recipe: [] };
    },
    apply: (_, operands) =>
      concat(
        operands.filter((operand) => operand !== undefined),
        joined,
      ),
  };
};

export const padLocality: LocalityRule<"Pad"> = (node, layoutOf) => {
  const [x] = node.inputs;
  const layout = layoutOf(x);
  if (layout === undefined) return global;
  const { mode, before, after, value } = node.attributes;
  return {
    layout,
    along: (axis, out) => {
      const shift = before[layout[axis]] ?? 0;
      return alongPad[mode](extentAlong(x, layout, axis), { start: out.start - shift, end: out.end - shift });
    },
    apply: (recipes, operands) => {
      const [rows, columns] = recipes;
      const [operand] = operands;
      const amounts = (values: readonly number[], index: number): readonly number[] =>
        values.map((amount, axis) =>
          axis === layout[0] ? numberAt(rows, index) : axis === layout[1] ? numberAt(columns, index) : amount,
        );
      const size = (extent: number, axis: number): number =>
        axis === layout[0] ? numberAt(rows, 3) : axis === layout[1] ? numberAt(columns, 3) : extent;
      const sizes = node.shape.map(size);
      // A part that lies wholly in the padding.
      if (operand === undefined) return expand(scalarConstant(value, { type: node.type }), sizes);
      const padded = pad(operand, { mode, value, before: amounts(before, 0), after: amounts(after, 1) });
      return slice(padded, {
        starts: amounts(
          before.map(() => 0),
          2,
        ),
        sizes,
      });
    },
  };
};

/**
 * The part [start, end) of a padded axis, in positions of the axis itself. Recipes: pads before and after what is
 * taken, where the part starts in that, and its length.
 */
const alongPad: Readonly<Record<"constant" | "edge" | "reflect", (extent: number, part: Interval) => Along>> = {
  constant: (extent, part) => {
    const need = clipTo(extent, part);
    const length = part.end - part.start;
    if (isEmpty(need)) return { needs: [{ start: 0, end: 0 }], recipe: [0, 0, 0, length] };
    return { needs: [need], recipe: [need.start - part.start, part.end - need.end, 0, length] };
  },
  edge: (extent, part) => {
    const start = Math.min(Math.max(part.start, 0), extent - 1);
    const end = Math.max(Math.min(part.end, extent), 1, start + 1);
    const length = part.end - part.start;
    const before = Math.min(Math.max(0, -part.start), length - 1);
    return { needs: [{ start, end }], recipe: [before, Math.max(0, length - before - (end - start)), 0, length] };
  },
  reflect: (extent, part) => {
    const before = Math.max(0, -part.start);
    const after = Math.max(0, part.end - extent);
    const low = before > 0 ? 0 : Math.min(part.start, after > 0 ? extent - 1 - after : part.start);
    const high = after > 0 ? extent : Math.max(part.end, before > 0 ? before + 1 : part.end);
    const need = clipTo(extent, { start: low, end: high });
    return { needs: [need], recipe: [before, after, part.start - (need.start - before), part.end - part.start] };
  },
};

/** Reductions and the like along `axes`: local as long as those are not image axes. */
export function alongOtherAxes(
  node: Node,
  axes: readonly number[],
  layout: Layout | undefined,
  what: string,
): Locality {
  if (layout === undefined) return global;
  if (axes.includes(layout[0]) || axes.includes(layout[1]))
    return { reason: `${what} over all positions of the image` };
  return {
    layout,
    along: (_, out) => ({ needs: [out], recipe: [] }),
    apply: (_, operands) => rebuiltOn(node, present(operands, 0)),
  };
}

/** The same operator on another operand. */
export function rebuiltOn(node: Node, operand: Node): Node {
  return withOperands(node, () => operand);
}
