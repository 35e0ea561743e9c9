/**
 * Relevance mass accuracy: the share of the map's positive values that lies in the mask (Arras, Osman and Samek, Information Fusion
 * 2022, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network explanations"). 0 for a map without
 * positive values; a constant positive map scores the mask's share of the image.
 */
export function massAccuracy(map: Float32Array, mask: Uint8Array): number {
  let [inside, all] = [0, 0];
  for (const [index, value] of map.entries()) {
    if (value <= 0) continue;
    all += value;
    if (mask[index] !== 0) inside += value;
  }
  return all === 0 ? 0 : inside / all;
}

/**
 * Relevance rank accuracy: of the K highest values, K being the mask's pixels, the share that lies in the mask (ibid.).
 * Where the K-th value occurs several times, as a choice by chance among them gets on average. NaN for an empty mask.
 */
export function rankAccuracy(map: Float32Array, mask: Uint8Array): number {
  const pixels = mask.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0);
  if (pixels === 0) return Number.NaN;
  const least = map.toSorted()[map.length - pixels] ?? Number.NaN;
  let [above, aboveInside, ties, tiesInside] = [0, 0, 0, 0];
  for (const [index, value] of map.entries()) {
    if (value < least) continue;
    const inside = mask[index] === 0 ? 0 : 1;
    if (value > least) [above, aboveInside] = [above + 1, aboveInside + inside];
    else [ties, tiesInside] = [ties + 1, tiesInside + inside];
  }
  return (aboveInside + ((pixels - above) * tiesInside) / ties) / pixels;
}
