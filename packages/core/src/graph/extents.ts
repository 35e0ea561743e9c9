import type { Shape } from "./tensor.ts";

/** Along one axis, how a window slides: `before` and `after` are the pads. */
export interface Sliding {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

/** Positions that a dilated kernel spans: dilation * (kernel - 1) + 1. */
export function spanOf(sliding: Pick<Sliding, "kernel" | "dilation">): number {
  return sliding.dilation * (sliding.kernel - 1) + 1;
}

/** Windows that fit into a padded axis (a convolution's or a pooling's output extent); below 1 when none fits. */
export function windowedExtent(extent: number, sliding: Sliding): number {
  return Math.floor((extent + sliding.before + sliding.after - spanOf(sliding)) / sliding.stride) + 1;
}

/** Output extent of a transposed convolution. */
export function transposedExtent(extent: number, sliding: Sliding, outputPadding: number): number {
  return (extent - 1) * sliding.stride + spanOf(sliding) + outputPadding - sliding.before - sliding.after;
}

/**
 * Output extent of a resize: floor(extent * scale). The product is rounded to float32 first, as engines compute it,
 * so that a scale that came from a ratio (5/3 of 3) gives the extent that was meant (5, not 4).
 */
export function resizedExtent(extent: number, scale: number): number {
  return Math.floor(Math.fround(extent * Math.fround(scale)));
}

/** The shape to which the shapes broadcast as in NumPy; `undefined` when they do not. */
export function broadcastShapes(...shapes: readonly Shape[]): Shape | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = Array.from({ length: rank }, () => 1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    for (const [axis, extent] of shape.entries()) {
      const known = result[offset + axis];
      if (known === 1) result[offset + axis] = extent;
      else if (extent !== 1 && extent !== known) return undefined;
    }
  }
  return result;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}
