/** A seeded stream of moments and choices, so that a run that failed can be made again. */
export interface Chance {
  readonly seed: number;
  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number;
}

/** From `SLIDELIGHT_FAULT_SEED`, else another one each time. */
export function chooseSeed(): number {
  const named = process.env["SLIDELIGHT_FAULT_SEED"];
  return named === undefined ? Date.now() % 1_000_000 : Number(named);
}

/** mulberry32. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { seed, between: (least, most) => least + Math.floor(uniform() * (most - least + 1)) };
}
