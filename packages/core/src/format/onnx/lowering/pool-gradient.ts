import { spanOf } from "../../../graph/extents.ts";
import type { Node } from "../../../graph/node.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { MaxPoolAttributes, Pair } from "../../../graph/vocabulary.ts";
import type { Emitter } from "./emitter.ts";

/** Below every value that a network computes; infinities would make NaN of a zero product. */
const lowest = { float32: -3.4e38, float16: -65_504 } as const;

type Pool = MaxPoolAttributes & {
  readonly shapes: { readonly x: Node["shape"]; readonly gradient: Node["shape"]; readonly type: Node["type"] };
  readonly name: string | undefined;
  readonly windowMaxima: boolean;
};

/**
 * MaxPoolGradient: for each offset in the window, in row-major order, the strided slice of x that lies there is compared
 * with the pooled value; the first that is equal takes the gradient, and leaves none to the others. What the offsets took is put back in place by
 * DepthToSpace: offsets that are equal modulo the stride share a place, shifted against each other by whole windows.
 */
export function lowerMaxPoolGradient(
  emitter: Emitter,
  operands: readonly [x: string, gradient: string],
  pool: Pool,
): string {
  const [x, gradient] = operands;
  const { kernel, strides, dilations, pads, shapes, name, windowMaxima } = pool;
  const [n = 1, channels = 1, height = 0, width = 0] = shapes.x;
  const [, , rows = 0, columns = 0] = shapes.gradient;
  const padded = [pads.top, pads.left, pads.bottom, pads.right].some((amount) => amount > 0)
    ? emitter.emit("Pad", [
        x,
        emitter.integers([0, 0, pads.top, pads.left, 0, 0, pads.bottom, pads.right]),
        emitter.number(shapes.type === "float16" ? lowest.float16 : lowest.float32, shapes.type),
      ])
    : x;
  const zero = emitter.number(0, shapes.type);

  const offsets = Array.from({ length: kernel[0] * kernel[1] }, (_, position): Pair => {
    return [Math.floor(position / kernel[1]) * dilations[0], (position % kernel[1]) * dilations[1]];
  });
  const values = offsets.map((offset) =>
    emitter.emit("Slice", [
      padded,
      emitter.integers(offset),
      emitter.integers([offset[0] + (rows - 1) * strides[0] + 1, offset[1] + (columns - 1) * strides[1] + 1]),
      emitter.integers([2, 3]),
      emitter.integers(strides),
    ]),
  );
  const pooled = windowMaxima
    ? emitter.emit("Max", values)
    : emitter.emit("MaxPool", [padded], { kernel_shape: kernel, strides, dilations });
  if (windowMaxima && isTiling(pool)) return placed(emitter, { values, pooled, gradient, zero }, pool);
  let left = gradient;
  const taken = values.map((value, position): { readonly offset: Pair; readonly value: string } => {
    const equal = emitter.emit("Equal", [value, pooled]);
    const own = emitter.emit("Where", [equal, left, zero]);
    if (position < values.length - 1) left = emitter.emit("Where", [equal, zero, left]);
    return { offset: offsets[position] ?? [0, 0], value: own };
  });

  const blocks = [0, 1].map((axis) => {
    const size = { kernel: kernel[axis] ?? 1, dilation: dilations[axis] ?? 1 };
    const stride = strides[axis] ?? 1;
    const reach = Math.floor((spanOf(size) - 1) / stride);
    const [start, extent, windows] = axis === 0 ? [pads.top, height, rows] : [pads.left, width, columns];
    return Math.max(Math.ceil((start + extent) / stride), windows + reach);
  });
  const [blockRows = 0, blockColumns = 0] = blocks;
  const places: string[] = [];
  for (let i = 0; i < strides[0]; i += 1) {
    for (let j = 0; j < strides[1]; j += 1) {
      const shifted = taken
        .filter(({ offset }) => offset[0] % strides[0] === i && offset[1] % strides[1] === j)
        .map(({ offset, value }) => {
          const down = Math.floor(offset[0] / strides[0]);
          const right = Math.floor(offset[1] / strides[1]);
          const after = [blockRows - rows - down, blockColumns - columns - right];
          if (down + right + (after[0] ?? 0) + (after[1] ?? 0) === 0) return value;
          return emitter.emit("Pad", [value, emitter.integers([0, 0, down, right, 0, 0, ...after])]);
        });
      const [first, ...others] = shifted;
      places.push(
        first === undefined
          ? emitter.emit("Expand", [zero, emitter.integers([n, channels, blockRows, blockColumns])])
          : others.reduce((sum, value) => emitter.emit("Add", [sum, value]), first),
      );
    }
  }
  const spread = depthToSpace(emitter, places, { n, channels, blockRows, blockColumns, strides });
  return emitter.emit(
    "Slice",
    [
      spread,
      emitter.integers([pads.top, pads.left]),
      emitter.integers([pads.top + height, pads.left + width]),
      emitter.integers([2, 3]),
    ],
    {},
    name,
  );
}

/** Whether windows lie side by side and cover all of x. */
function isTiling({ kernel, strides, dilations, pads, shapes }: Pool): boolean {
  const isPadded = [pads.top, pads.left, pads.bottom, pads.right].some((amount) => amount > 0);
  return (
    !isPadded &&
    [0, 1].every((axis) => {
      const [window, extent = 0] = [kernel[axis] ?? 1, shapes.x[axis + 2]];
      return strides[axis] === window && dilations[axis] === 1 && extent === window * (shapes.gradient[axis + 2] ?? 0);
    })
  );
}

interface Windows {
  /** What lies at each offset of the windows. */
  readonly values: readonly string[];
  readonly pooled: string;
  readonly gradient: string;
  readonly zero: string;
}

/**
 * Where windows lie side by side: the offset of each window's first maximum is found, and every value of a window takes the gradient whose own
 * offset that is. Channels lie last meanwhile, so that a window's rows and columns are axes of their own, along which both are repeated without a
 * copy.
 */
function placed(emitter: Emitter, { values, pooled, gradient, zero }: Windows, { kernel, shapes, name }: Pool): string {
  const [n = 1, channels = 1, height = 0, width = 0] = shapes.x;
  const [, , rows = 0, columns = 0] = shapes.gradient;
  const number = (value: number): string => emitter.number(value, shapes.type);
  const first = values
    .slice(0, -1)
    .reduceRight(
      (offset, value, position) =>
        emitter.emit("Where", [emitter.emit("Equal", [value, pooled]), number(position), offset]),
      number(values.length - 1),
    );
  const ofWindows = (value: string): string =>
    emitter.emit("Reshape", [
      emitter.emit("Transpose", [value], { perm: [0, 2, 3, 1] }),
      emitter.integers([n, rows, 1, columns, 1, channels]),
    ]);
  const offsets = emitter.tensor(tensorOf(shapes.type, [1, 1, kernel[0], 1, kernel[1], 1], [...values.keys()]));
  const isOwn = emitter.emit("Equal", [ofWindows(first), offsets]);
  const spread = emitter.emit("Where", [isOwn, ofWindows(gradient), zero]);
  const image = emitter.emit("Reshape", [spread, emitter.integers([n, height, width, channels])]);
  return emitter.emit("Transpose", [image], { perm: [0, 3, 1, 2] }, name);
}

interface Blocks {
  readonly n: number;
  readonly channels: number;
  readonly blockRows: number;
  readonly blockColumns: number;
  readonly strides: Pair;
}

function depthToSpace(emitter: Emitter, places: readonly string[], blocks: Blocks): string {
  const { n, channels, blockRows, blockColumns, strides } = blocks;
  const [only] = places;
  if (only !== undefined && places.length === 1) return only;
  const joined = emitter.emit("Concat", places, { axis: 1 });
  if (strides[0] === strides[1]) return emitter.emit("DepthToSpace", [joined], { blocksize: strides[0], mode: "DCR" });
  const split = emitter.emit("Reshape", [joined, emitter.integers([n, ...strides, channels, blockRows, blockColumns])]);
  const turned = emitter.emit("Transpose", [split], { perm: [0, 3, 4, 1, 5, 2] });
  return emitter.emit("Reshape", [
    turned,
    emitter.integers([n, channels, blockRows * strides[0], blockColumns * strides[1]]),
  ]);
}
