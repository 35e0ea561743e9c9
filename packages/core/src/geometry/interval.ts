/** A half-open range of integer positions [start, end) along one axis; empty when end <= start. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

export function isEmpty(interval: Interval): boolean {
  return interval.end <= interval.start;
}

/** The positions that are in both. */
export function intersect(a: Interval, b: Interval): Interval {
  const start = Math.max(a.start, b.start);
  return { start, end: Math.max(start, Math.min(a.end, b.end)) };
}

/** The smallest interval that holds both; an empty one adds nothing. */
export function hull(a: Interval, b: Interval): Interval {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}
