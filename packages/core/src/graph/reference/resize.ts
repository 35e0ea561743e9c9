import type { Node, NodeOf } from "../node.ts";
import { tapsOf } from "../resampling.ts";
import { sizeOf } from "../tensor.ts";
import type { ResizeAttributes } from "../vocabulary.ts";
import { extentsOf } from "./convolution.ts";
import type { ValueOf } from "./rule.ts";

type Sized = Pick<Node, "shape">;

/** Visits each (input position, output position, weight) of the linear map from `x` to `resized`. */
function forEachTap(
  x: Sized,
  resized: Sized,
  attributes: ResizeAttributes,
  visit: (position: number, output: number, weight: number) => void,
): void {
  const [from, to] = [extentsOf(x), extentsOf(resized)];
  const [vertical, horizontal] = attributes.scales;
  const rows = tapsOf({ extent: from.height, resized: to.height, scale: vertical }, attributes);
  const columns = tapsOf({ extent: from.width, resized: to.width, scale: horizontal }, attributes);
  let output = 0;
  for (let image = 0; image < to.batch * to.channels; image++) {
    for (const row of rows) {
      for (const column of columns) {
        for (const y of row) {
          const start = (image * from.height + y.position) * from.width;
          for (const tap of column) visit(start + tap.position, output, y.weight * tap.weight);
        }
        output++;
      }
    }
  }
}

export function resize(node: NodeOf<"Resize">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const data = valueOf(x);
  const result = new Float64Array(sizeOf(node.shape));
  forEachTap(x, node, node.attributes, (position, output, weight) => {
    result[output] = (result[output] ?? 0) + weight * (data[position] ?? 0);
  });
  return result;
}

export function resizeGradient(node: NodeOf<"ResizeGradient">, valueOf: ValueOf): Float64Array {
  const [gradient] = node.inputs;
  const data = valueOf(gradient);
  const result = new Float64Array(sizeOf(node.shape));
  forEachTap(node, gradient, node.attributes, (position, output, weight) => {
    result[position] = (result[position] ?? 0) + weight * (data[output] ?? 0);
  });
  return result;
}
