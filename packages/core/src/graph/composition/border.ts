import { add, constant, pad } from "../build.ts";
import type { Node, NodeOf } from "../node.ts";
import { elementsOf, float32, sizeOf } from "../tensor.ts";
import type { Kernels } from "./kernels.ts";

/** Takes from a sum [1, O, H, W] what pads have no part in. */
export type BorderCorrection = (sum: Node) => Node;

/** Which taps of a kernel meet a value, not a pad, at a position along an axis: 1 or 0 for each. */
type Meeting = readonly number[];

/** Of positions along an axis. */
interface Meetings {
  readonly kinds: readonly Meeting[];
  /** The kind at each position. */
  readonly at: readonly number[];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * What pads take, where they stand in for it, from a constant that is `taps` [O, 1, kh, kw] behind the convolution `node` of `operand`: with r(y, t),
 * c(x, u) as 1 where a tap meets a row, and a column, of the operand, and as 0 where it meets pads,
 *
 *     lost[o, y, x] = - sum over t, u of taps[o, t, u] (1 - r(y, t) c(x, u)),
 *
 * which is 0 away from the border: whole rows above and below, and columns at the sides, are added to the sum where they lie.
 * @returns `undefined` where no position is away from the border.
 */
export function borderCorrection(taps: Kernels, operand: Node, node: NodeOf<"Conv">): BorderCorrection | undefined {
  const { pads } = node.attributes;
  const rows = meetings(pads.top, { taps, operand, node, axis: 2 });
  const columns = meetings(pads.left, { taps, operand, node, axis: 3 });
  const [insideRows, insideColumns] = [inside(rows), inside(columns)];
  if (insideRows === undefined || insideColumns === undefined) return undefined;
  const [height, width] = [rows.at.length, columns.at.length];
  const [down, across] = [
    { start: 0, end: height },
    { start: 0, end: width },
  ];
  const loss = lossOf(taps);
  // A corner is its row's.
  const besideRows: Loss = (output, row, column) => (isWhole(row) ? loss(output, row, column) : 0);
  const borders = [
    { down: { start: 0, end: insideRows.start }, across, loss },
    { down: { start: insideRows.end, end: height }, across, loss },
    { down, across: { start: 0, end: insideColumns.start }, loss: besideRows },
    { down, across: { start: insideColumns.end, end: width }, loss: besideRows },
  ].filter((border) => [border.down, border.across].every(({ start, end }) => end > start));
  return (sum) =>
    borders.reduce((whole, border) => {
      const lost = plane(taps, { rows: part(rows, border.down), columns: part(columns, border.across) }, border.loss);
      const before = [0, 0, border.down.start, border.across.start];
      const after = [0, 0, height - border.down.end, width - border.across.end];
      return add(whole, pad(lost, { before, after }));
    }, sum);
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
  /** By the first tap that meets a value, and the first behind those that do. */
  const known = new Map<number, number>();
  const tap = (position: number): number => Math.min(size, Math.max(0, position));
  const at = Array.from({ length: node.shape[axis] ?? 0 }, (_, position) => {
    const [first, end] = [tap(before - position), tap(before - position + given)];
    const key = first * (size + 1) + end;
    const kind =
      known.get(key) ?? kinds.push(Array.from({ length: size }, (_, at) => (at >= first && at < end ? 1 : 0))) - 1;
    known.set(key, kind);
    return kind;
  });
  return { kinds, at };
}

/** The positions between both borders, where every tap meets a value; `undefined` where there are none. */
function inside({ kinds, at }: Meetings): Span | undefined {
  const whole = kinds.findIndex(isWhole);
  return whole < 0 ? undefined : { start: at.indexOf(whole), end: at.lastIndexOf(whole) + 1 };
}

function part({ kinds, at }: Meetings, { start, end }: Span): Meetings {
  return { kinds, at: at.slice(start, end) };
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
function plane(taps: Kernels, { rows, columns }: Readonly<Record<"rows" | "columns", Meetings>>, loss: Loss): Kernels {
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
