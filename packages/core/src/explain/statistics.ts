/** What one tile, or several merged, tell about the whole image; vectors have a value for each channel. */
export type Statistic =
  | { readonly kind: "sum"; readonly sum: Float64Array }
  /** The maximum and its first position in row-major order, in the value's own cells. */
  | {
      readonly kind: "max";
      readonly max: Float64Array;
      readonly row: Float64Array;
      readonly column: Float64Array;
    }
  /** log sum exp = max + log(scaled), scaled = sum exp(x - max). */
  | { readonly kind: "log-sum-exp"; readonly max: Float64Array; readonly scaled: Float64Array };

export type StatisticKind = Statistic["kind"];
export type StatisticOf<K extends StatisticKind> = Extract<Statistic, { readonly kind: K }>;

/**
 * Two parts of the image as one. Associative and commutative to rounding; the pipeline merges in tile order, so that
 * the result depends on neither the number of workers nor the order in which they finish.
 */
export function mergeStatistics(a: Statistic, b: Statistic): Statistic {
  if (a.kind === "sum" && b.kind === "sum") return { kind: "sum", sum: a.sum.map((value, k) => value + at(b.sum, k)) };
  if (a.kind === "max" && b.kind === "max") return mergeMaxima(a, b);
  if (a.kind === "log-sum-exp" && b.kind === "log-sum-exp") {
    const max = a.max.map((value, k) => Math.max(value, at(b.max, k)));
    const scaled = a.scaled.map(
      (value, k) => value * Math.exp(at(a.max, k) - at(max, k)) + at(b.scaled, k) * Math.exp(at(b.max, k) - at(max, k)),
    );
    return { kind: "log-sum-exp", max, scaled };
  }
  throw new TypeError(`Statistics of kinds ${a.kind} and ${b.kind} cannot be merged.`);
}

/** What is known so far and what one more tile tells: statistics of the same id as one, in this order. */
export function mergeTables(
  known: ReadonlyMap<string, Statistic>,
  tile: ReadonlyMap<string, Statistic>,
): ReadonlyMap<string, Statistic> {
  const merged = new Map(known);
  for (const [id, statistic] of tile) {
    const before = merged.get(id);
    merged.set(id, before === undefined ? statistic : mergeStatistics(before, statistic));
  }
  return merged;
}

function mergeMaxima(a: StatisticOf<"max">, b: StatisticOf<"max">): StatisticOf<"max"> {
  const fromB = a.max.map((value, k) => {
    const other = at(b.max, k);
    if (value !== other) return other > value ? 1 : 0;
    const earlier = at(b.row, k) - at(a.row, k) || at(b.column, k) - at(a.column, k);
    return earlier < 0 ? 1 : 0;
  });
  const pick = (x: Float64Array, y: Float64Array): Float64Array =>
    x.map((value, k) => (fromB[k] === 1 ? at(y, k) : value));
  return { kind: "max", max: pick(a.max, b.max), row: pick(a.row, b.row), column: pick(a.column, b.column) };
}

function at(values: Float64Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`A statistic has ${values.length} channels, not ${index + 1}.`);
  return value;
}

/** @throws {RangeError} when a sweep was asked for something that an earlier one should have made. */
export function statisticOf(statistics: ReadonlyMap<string, Statistic>, id: string): Statistic {
  const statistic = statistics.get(id);
  if (statistic === undefined) throw new RangeError(`The statistic "${id}" is not there yet.`);
  return statistic;
}

export function sumOf(statistics: ReadonlyMap<string, Statistic>, id: string): Float64Array {
  const statistic = statisticOf(statistics, id);
  if (statistic.kind !== "sum") throw new TypeError(`The statistic "${id}" is no sum.`);
  return statistic.sum;
}

export function maximumOf(
  statistics: ReadonlyMap<string, Statistic>,
  id: string,
): { readonly row: Float64Array; readonly column: Float64Array } {
  const statistic = statisticOf(statistics, id);
  if (statistic.kind !== "max") throw new TypeError(`The statistic "${id}" is no maximum.`);
  return statistic;
}
