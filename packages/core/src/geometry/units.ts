declare const unit: unique symbol;
type Branded<T, U extends string> = T & { readonly [unit]: U };

/** Index of a pyramid level, 0 = full resolution. */
export type LevelIndex = Branded<number, "LevelIndex">;
export function levelIndex(value: number): LevelIndex {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`A level is an integer from 0, got ${value}.`);
  return value as LevelIndex;
}
