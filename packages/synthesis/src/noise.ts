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

/** Smooth noise in [0, 1] at a position, its features about `period` pixels wide (value noise, smoothstep between). */
export function smoothNoise(seed: number, x: number, y: number, period: number): number {
  const cellX = Math.floor(x / period);
  const cellY = Math.floor(y / period);
  const fractionX = x / period - cellX;
  const fractionY = y / period - cellY;
  const u = fractionX * fractionX * (3 - 2 * fractionX);
  const v = fractionY * fractionY * (3 - 2 * fractionY);
  const top = uniform(seed, cellX, cellY, 0) * (1 - u) + uniform(seed, cellX + 1, cellY, 0) * u;
  const bottom = uniform(seed, cellX, cellY + 1, 0) * (1 - u) + uniform(seed, cellX + 1, cellY + 1, 0) * u;
  return top * (1 - v) + bottom * v;
}
