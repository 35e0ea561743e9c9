const firstMs = 5_000;
const mostMs = 600_000;
/** About three days, as `newerDelayMs` spaces them: a release is out by then. */
const patience = 440;

/**
 * How long a job of a later release is put off, by how often it was begun so far: soon, for the newer worker that starts beside this
 * one; then ever more rarely, for a queue full of them. After about three days it is given up.
 * @returns `undefined` when it is given up.
 */
export function newerDelayMs(begun: number): number | undefined {
  if (begun >= patience) return undefined;
  return Math.min(mostMs, firstMs * 2 ** Math.min(16, Math.max(0, begun - 1)));
}
