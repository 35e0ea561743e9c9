/** The names of the classes: the model's own where it has one for each, else their indices. */
export function classNames(count: number, names: readonly string[] | undefined): readonly string[] {
  return names?.length === count ? names : Array.from({ length: count }, (_, index) => String(index));
}
