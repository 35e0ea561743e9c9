import type { Interval } from "../geometry/interval.ts";
import type { Region } from "../geometry/rectangle.ts";
import { input, maximum, minimum, mul, scalarConstant, sub } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import { float32 } from "../graph/tensor.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import type { Sweep } from "./explanation.ts";

/** Image pixels for each cell: vertical, horizontal. */
export type Stride = readonly [number, number];
export const onePixel: Stride = [1, 1];

type Axis = "rows" | "columns";

/** Of Inputs that say which rows or columns of cells of this stride are the tile's own. */
const ownedName = (axis: Axis, stride: number): string => `owned.${axis}.${stride}`;

/** Makes the mask of a value, [1, 1, h, w] with 1 where a cell is the tile's own and 0 elsewhere; values of one stride have one. */
export function ownedMasks(): (node: Node, stride: Stride) => Node {
  const inputs = new Map<string, Node>();
  const masks = new Map<string, Node>();
  const inputOf = (axis: Axis, stride: number, shape: Shape): Node => {
    const name = ownedName(axis, stride);
    const node = inputs.get(name) ?? input(name, { type: "float32", shape });
    inputs.set(name, node);
    return node;
  };
  return ({ shape }, [down, across]) => {
    const [, , rows = 0, columns = 0] = shape;
    const key = `${down}x${across}`;
    const mask =
      masks.get(key) ?? mul(inputOf("rows", down, [1, 1, rows, 1]), inputOf("columns", across, [1, 1, 1, columns]));
    masks.set(key, mask);
    return mask;
  };
}

/** What those Inputs are for a tile that computes `window` and owns `core`, both in pixels. */
export function ownedInputs(sweep: Sweep, window: Region, core: Region): Readonly<Record<string, Tensor>> {
  const strides = [onePixel, ...sweep.statistics.map(({ stride }) => stride)];
  const inputOf = (axis: Axis, stride: number): readonly [string, Tensor] => {
    const [all, own] = axis === "rows" ? [window.y, core.y] : [window.x, core.x];
    const [cells, mine] = [cellsOf(all, stride), cellsOf(own, stride)];
    const owned = Float32Array.from({ length: cells.end - cells.start }, (_, index) => {
      const cell = cells.start + index;
      return cell >= mine.start && cell < mine.end ? 1 : 0;
    });
    return [
      ownedName(axis, stride),
      float32(axis === "rows" ? [1, 1, owned.length, 1] : [1, 1, 1, owned.length], owned),
    ];
  };
  return Object.fromEntries(strides.flatMap(([down, across]) => [inputOf("rows", down), inputOf("columns", across)]));
}

/** The value where a cell is the tile's own, and what no maximum is elsewhere. */
export function boundedAbove(x: Node, mask: Node | undefined): Node {
  return mask === undefined ? x : minimum(x, boundOf(mask));
}

/** The value where a cell is the tile's own, and what no minimum is elsewhere. */
export function boundedBelow(x: Node, mask: Node | undefined): Node {
  return mask === undefined ? x : maximum(x, mul(boundOf(mask), scalarConstant(-1)));
}

const largestFinite = 3.4e38;

/** The largest number where a cell is the tile's own, the lowest one elsewhere. */
function boundOf(mask: Node): Node {
  return mul(sub(mul(mask, scalarConstant(2)), scalarConstant(1)), scalarConstant(largestFinite));
}

/** The cells of this stride that belong to an interval of pixels: every cell of the image has one owner. */
export function cellsOf({ start, end }: Interval, stride: number): Interval {
  return { start: Math.ceil(start / stride), end: Math.ceil(end / stride) };
}
