import { constant, maximum, mul } from "../build.ts";
import type { Node, NodeOf } from "../node.ts";
import { runTimeZero } from "../run-time-zero.ts";
import { elementsOf, float32, sizeOf } from "../tensor.ts";
import type { Kernels } from "./kernels.ts";

/** What pads take of a sum, as terms [1, O, H or 1, W or 1] to be added to it; some are known only when `x` is. */
export type BorderCorrection = (x: Node) => readonly Node[];

/** Which taps of a kernel meet a value, not a pad, at a position along an axis: 1 or 0 for each. */
type Meeting = readonly number[];

/** Of all positions along an axis. */
interface Meetings {
  readonly kinds: readonly Meeting[];
  /** The kind at each position. */
  readonly at: readonly number[];
}

/** Each is a term for every pixel: more than a row above and one below would cost what composing gains. */
const mostKindsOfRows = 2;

/**
 * What pads take, where they stand in for it, from a constant that is `taps` [O, 1, kh, kw] behind the convolution `node` of `operand`: with r(y, t),
 * c(x, u) as 1 where a tap meets a row, and a column, of the operand, and as 0 where it meets pads,
 *
 *     lost[o, y, x] = - sum over t, u of taps[o, t, u] (1 - r(y, t) c(x, u)).
 *
 * @returns `undefined` where that is too many terms, or no position is away from the border.
 */
export function borderCorrection(taps: Kernels, operand: Node, node: NodeOf<"Conv">): BorderCorrection | undefined {
  const { pads } = node.attributes;
  const rows = meetings(pads.top, { taps, operand, node, axis: 2 });
  const columns = meetings(pads.left, { taps, operand, node, axis: 3 });
  const [inside, anyColumn] = [rows.kinds.find(isWhole), columns.kinds.find(isWhole)];
  if (inside === undefined || anyColumn === undefined) return undefined;
  const borders = rows.kinds.filter((kind) => kind !== inside);
  const loss = lossOf(taps);
  if (columns.kinds.length === 1) {
    return () => (borders.length === 0 ? [] : [plane(taps, rows, only(anyColumn), loss)]);
  }
  if (borders.length > mostKindsOfRows) return undefined;
  return (x) => {
    const everywhere = plane(taps, only(inside), columns, loss);
    const zero = runTimeZero(x, everywhere);
    const ofBorder = (border: Meeting): Node => {
      const here = rows.at.map((kind) => (rows.kinds[kind] === border ? 1 : 0));
      const more = plane(taps, only(border), columns, (output, row, column) => {
        return loss(output, row, column) - loss(output, inside, column);
      });
      // A product of two Constants would be made once for all, and take as much memory as an image; so would that of a Constant and a sum with one.
      return mul(maximum(constant(float32([1, 1, here.length, 1], here)), zero), more);
    };
    return [everywhere, ...borders.map(ofBorder)];
  };
}

interface Axis {
  readonly taps: Kernels;
  readonly operand: Node;
  readonly node: NodeOf<"Conv">;
  readonly axis: 2 | 3;
}

/** At each position of the result, where `before` pads come first. */
function meetings(before: number, { taps, operand, node, axis }: Axis): Meetings {
  const [given = 0, size = 0] = [operand.shape[axis], taps.shape[axis]];
  const kinds: Meeting[] = [];
  const known = new Map<string, number>();
  const at = Array.from({ length: node.shape[axis] ?? 0 }, (_, position) => {
    const meeting = Array.from({ length: size }, (_, tap) => {
      const met = position + tap - before;
      return met >= 0 && met < given ? 1 : 0;
    });
    const kind = known.get(meeting.join()) ?? kinds.push(meeting) - 1;
    known.set(meeting.join(), kind);
    return kind;
  });
  return { kinds, at };
}

/** One position, of that kind. */
function only(kind: Meeting): Meetings {
  return { kinds: [kind], at: [0] };
}

function isWhole(meeting: Meeting): boolean {
  return meeting.every((met) => met === 1);
}

type Loss = (output: number, row: Meeting, column: Meeting) => number;

function lossOf(taps: Kernels): Loss {
  const [, , height = 0, width = 0] = taps.shape;
  const elements = elementsOf(taps.attributes.tensor);
  return (output, row, column) => {
    let sum = 0;
    for (let t = 0; t < height; t += 1) {
      for (let u = 0; u < width; u += 1) {
        const met = (row[t] ?? 0) * (column[u] ?? 0);
        sum -= (1 - met) * (elements[(output * height + t) * width + u] ?? 0);
      }
    }
    return sum;
  };
}

/** [1, O, rows, columns] of a loss. */
function plane(taps: Kernels, rows: Meetings, columns: Meetings, loss: Loss): Kernels {
  const [outputs = 0] = taps.shape;
  const shape = [1, outputs, rows.at.length, columns.at.length];
  const values = new Float32Array(sizeOf(shape));
  let next = 0;
  for (let output = 0; output < outputs; output += 1) {
    const ofKinds = rows.kinds.map((row) => Float32Array.from(columns.kinds, (column) => loss(output, row, column)));
    for (const row of rows.at) {
      const ofColumns = ofKinds[row] ?? values;
      for (const column of columns.at) {
        values[next] = ofColumns[column] ?? 0;
        next += 1;
      }
    }
  }
  return constant(float32(shape, values));
}
