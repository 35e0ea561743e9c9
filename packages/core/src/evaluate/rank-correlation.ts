import { relevanceOrder } from "./relevance-order.ts";

/**
 * Spearman's rank correlation, -1..1: Pearson's of the ranks, equal values sharing the mean of theirs. `undefined` when all values of one
 * side are equal.
 */
export function rankCorrelation(a: Float32Array, b: Float32Array): number | undefined {
  const [left, right] = [meanRanks(a), meanRanks(b)];
  // Ranks have this mean whatever the ties.
  const mean = (a.length - 1) / 2;
  let [product, squareLeft, squareRight] = [0, 0, 0];
  for (const [index, rank] of left.entries()) {
    const [x, y] = [rank - mean, (right[index] ?? 0) - mean];
    product += x * y;
    squareLeft += x * x;
    squareRight += y * y;
  }
  return squareLeft === 0 || squareRight === 0 ? undefined : product / Math.sqrt(squareLeft * squareRight);
}

function meanRanks(values: Float32Array): Float64Array {
  const order = relevanceOrder(values);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    const value = values[order[start] ?? 0];
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === value) end += 1;
    for (const index of order.subarray(start, end)) ranks[index] = (start + end - 1) / 2;
    start = end;
  }
  return ranks;
}
