import { uniforms } from "../model/random.ts";

/**
 * A stream of numbers in [0, 1) of its own for each key of integers, such as seed, epoch and image: what is drawn for one
 * does not depend on what was drawn for others, so that a training that goes on draws as one that was never interrupted.
 */
export function keyedRandom(...key: readonly number[]): () => number {
  let hash = 0x811c9dc5;
  for (const part of key) {
    hash = Math.imul(hash ^ part, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return uniforms(hash);
}

/** The items in an order that the key decides (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], ...key: readonly number[]): readonly T[] {
  const random = keyedRandom(...key);
  const order = [...items];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [order[last], order[other]];
    if (a === undefined || b === undefined) continue;
    order[last] = b;
    order[other] = a;
  }
  return order;
}
