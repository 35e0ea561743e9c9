/**
 * Whether the map's maximum lies in the mask: 1 or 0 (Zhang et al., ECCV 2016, "Top-down neural attention by excitation backprop",
 * without their tolerance of 15 pixels). Of several equal maxima, the share that does: what a choice by chance gets on average.
 */
export function pointingGame(map: Float32Array, mask: Uint8Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  let [inside, all] = [0, 0];
  for (const [index, value] of map.entries()) {
    if (value < largest) continue;
    if (value > largest) [largest, inside, all] = [value, 0, 0];
    all += 1;
    if (mask[index] !== 0) inside += 1;
  }
  return inside / all;
}
