import { uniforms } from "../model/random.ts";

/** So many of the positions 0..count - 1, by chance; all where there are not more. */
export function chooseSample(
  count: number,
  { size, seed }: { readonly size: number; readonly seed: number },
): ReadonlySet<number> {
  const random = uniforms(seed);
  const keyed = Array.from({ length: count }, (_, position) => ({ position, key: random() }));
  const chosen = keyed.toSorted((a, b) => a.key - b.key).slice(0, size);
  return new Set(chosen.map(({ position }) => position));
}
