import type { Interval } from "../../geometry/interval.ts";
import type { Node, NodeOf } from "../node.ts";
import { sizeOf } from "../tensor.ts";
import type { MaxPoolAttributes, PoolingWindow } from "../vocabulary.ts";
import { extentsOf } from "./convolution.ts";
import type { ValueOf } from "./rule.ts";

/** One window of one plane; positions are the plane's own, and may lie in the pads. */
interface Window {
  /** Position of the result among all results. */
  readonly output: number;
  /** Position of the plane's first element among all elements. */
  readonly plane: number;
  readonly top: number;
  readonly left: number;
}

function forEachWindow(
  x: Node,
  pooled: Pick<Node, "shape">,
  pooling: PoolingWindow,
  visit: (window: Window) => void,
): void {
  const { height, width } = extentsOf(x);
  const { batch, channels, height: rows, width: columns } = extentsOf(pooled);
  const { strides, pads } = pooling;
  let output = 0;
  for (let image = 0; image < batch * channels; image++) {
    for (let y = 0; y < rows; y++) {
      for (let column = 0; column < columns; column++) {
        const [top, left] = [y * strides[0] - pads.top, column * strides[1] - pads.left];
        visit({ output: output++, plane: image * height * width, top, left });
      }
    }
  }
}

/** For each window the position of its first maximum, row-major; -1 where a window lies wholly in the pads. */
function maxima(x: Node, pooled: Pick<Node, "shape">, pooling: MaxPoolAttributes, data: Float64Array): Int32Array {
  const { height, width } = extentsOf(x);
  const { kernel, dilations } = pooling;
  const positions = new Int32Array(sizeOf(pooled.shape)).fill(-1);
  forEachWindow(x, pooled, pooling, ({ output, plane, top, left }) => {
    let best = -1;
    for (let ky = 0; ky < kernel[0]; ky++) {
      const y = top + ky * dilations[0];
      if (y < 0 || y >= height) continue;
      for (let kx = 0; kx < kernel[1]; kx++) {
        const column = left + kx * dilations[1];
        if (column < 0 || column >= width) continue;
        const position = plane + y * width + column;
        if (best < 0 || (data[position] ?? 0) > (data[best] ?? 0)) best = position;
      }
    }
    positions[output] = best;
  });
  return positions;
}

export function maxPool(node: NodeOf<"MaxPool">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const data = valueOf(x);
  const positions = maxima(x, node, node.attributes, data);
  return Float64Array.from(positions, (position) => (position < 0 ? -Infinity : (data[position] ?? 0)));
}

export function maxPoolGradient(node: NodeOf<"MaxPoolGradient">, valueOf: ValueOf): Float64Array {
  const [x, gradient] = node.inputs;
  const values = valueOf(gradient);
  const result = new Float64Array(sizeOf(node.shape));
  for (const [output, position] of maxima(x, gradient, node.attributes, valueOf(x)).entries()) {
    if (position >= 0) result[position] = (result[position] ?? 0) + (values[output] ?? 0);
  }
  return result;
}

/** A window's positions within 0..extent. */
function within(start: number, size: number, extent: number): Interval {
  return { start: Math.max(0, start), end: Math.min(extent, start + size) };
}

export function averagePool(node: NodeOf<"AveragePool">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const data = valueOf(x);
  const { height, width } = extentsOf(x);
  const { kernel, countIncludePad } = node.attributes;
  const result = new Float64Array(sizeOf(node.shape));
  forEachWindow(x, node, node.attributes, ({ output, plane, top, left }) => {
    const rows = within(top, kernel[0], height);
    const columns = within(left, kernel[1], width);
    let sum = 0;
    for (let y = rows.start; y < rows.end; y++) {
      for (let column = columns.start; column < columns.end; column++) sum += data[plane + y * width + column] ?? 0;
    }
    const inside = (rows.end - rows.start) * (columns.end - columns.start);
    result[output] = sum / (countIncludePad ? kernel[0] * kernel[1] : inside);
  });
  return result;
}
