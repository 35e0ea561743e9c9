/** A window on the endless plane in which tissue grows: pixels, and how long a pixel is there. */
export interface View {
  /** Of the window's first pixel, in pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Units of the plane for each pixel; a unit is 0.5 microns. */
  readonly step: number;
}

/** A hash of three integers and a seed to 32 bits: the same at every position, whoever asks, in whatever order. */
export function hash(seed: number, a: number, b: number, c: number): number {
  let h = (seed ^ 0x9e3779b9) >>> 0;
  h = Math.imul(h ^ a, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 13)) + b, 0xc2b2ae35);
  h = Math.imul((h ^ (h >>> 16)) + c, 0x27d4eb2f);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 12)) >>> 0;
}

/** A number in [0, 1) for three integers and a seed. */
export function uniform(seed: number, a: number, b: number, c: number): number {
  return hash(seed, a, b, c) / 4294967296;
}

/** Smooth noise in [0, 1] at a position, its features about `period` units wide (value noise, smoothstep between). */
export function smoothNoise(seed: number, x: number, y: number, period: number): number {
  return smoothNoiseOf(seed, period)(x, y);
}

/** `smoothNoise` as a function of the position. It remembers the lattice cell it was in last: quick along a row. */
export function smoothNoiseOf(seed: number, period: number): (x: number, y: number) => number {
  let lastX = Number.NaN;
  let lastY = Number.NaN;
  let topLeft = 0;
  let topRight = 0;
  let bottomLeft = 0;
  let bottomRight = 0;
  return (x, y) => {
    const cellX = Math.floor(x / period);
    const cellY = Math.floor(y / period);
    if (cellX !== lastX || cellY !== lastY) {
      lastX = cellX;
      lastY = cellY;
      topLeft = uniform(seed, cellX, cellY, 0);
      topRight = uniform(seed, cellX + 1, cellY, 0);
      bottomLeft = uniform(seed, cellX, cellY + 1, 0);
      bottomRight = uniform(seed, cellX + 1, cellY + 1, 0);
    }
    const u = smoothStep(x / period - cellX);
    const v = smoothStep(y / period - cellY);
    const top = topLeft * (1 - u) + topRight * u;
    const bottom = bottomLeft * (1 - u) + bottomRight * u;
    return top * (1 - v) + bottom * v;
  };
}

/** `smoothNoise` at every pixel of a view, row by row: quicker, since a lattice value is hashed once. */
export function noiseField(seed: number, view: View, period: number): Float32Array {
  const { width, height, step } = view;
  const field = new Float32Array(width * height);
  const first = Math.floor((view.x * step) / period);
  const cells = new Int32Array(width);
  const weights = new Float64Array(width);
  for (let x = 0; x < width; x += 1) {
    const at = ((view.x + x) * step) / period;
    const cell = Math.floor(at);
    cells[x] = cell - first;
    weights[x] = smoothStep(at - cell);
  }
  const count = (cells[width - 1] ?? 0) + 2;
  const latticeRow = (cellY: number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => uniform(seed, first + i, cellY, 0));
  let row = Number.NaN;
  let top: Float64Array = new Float64Array(0);
  let bottom: Float64Array = new Float64Array(0);
  const blended = new Float64Array(count);
  for (let y = 0; y < height; y += 1) {
    const at = ((view.y + y) * step) / period;
    const cellY = Math.floor(at);
    if (cellY !== row) {
      top = cellY === row + 1 ? bottom : latticeRow(cellY);
      bottom = latticeRow(cellY + 1);
      row = cellY;
    }
    const v = smoothStep(at - cellY);
    for (let i = 0; i < count; i += 1) blended[i] = (top[i] ?? 0) * (1 - v) + (bottom[i] ?? 0) * v;
    for (let x = 0; x < width; x += 1) {
      const cell = cells[x] ?? 0;
      const u = weights[x] ?? 0;
      field[y * width + x] = (blended[cell] ?? 0) * (1 - u) + (blended[cell + 1] ?? 0) * u;
    }
  }
  return field;
}

/** 0 below 0, 1 above 1, smooth between. */
export function smoothStep(t: number): number {
  if (t <= 0) return 0;
  return t >= 1 ? 1 : t * t * (3 - 2 * t);
}

/** A wave of period 1 between 0 and 1, of parabolas: the same bits on every machine, which a sine does not promise. */
export function wave(t: number): number {
  const u = t - Math.floor(t);
  const half = u < 0.5 ? u * 2 : u * 2 - 1;
  const bump = 2 * half * (1 - half);
  return u < 0.5 ? 0.5 + bump : 0.5 - bump;
}

/** A direction, all equally likely, for an integer and a seed: a point drawn in the unit disc, on its rim. */
export function direction(seed: number, a: number, b: number): { readonly x: number; readonly y: number } {
  for (let attempt = 0; attempt < 32; attempt += 1) {
    const x = 2 * uniform(seed, a, b, 2 * attempt) - 1;
    const y = 2 * uniform(seed, a, b, 2 * attempt + 1) - 1;
    const square = x * x + y * y;
    if (square > 0.01 && square <= 1) {
      const length = Math.sqrt(square);
      return { x: x / length, y: y / length };
    }
  }
  return { x: 1, y: 0 };
}
