/** Indices of the values, the highest first; equal ones in reading order. */
export function relevanceOrder(values: Float32Array): Uint32Array {
  const order = Uint32Array.from(values, (_, index) => index);
  return order.sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
}
