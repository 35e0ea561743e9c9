/** How fast a process has computed so far, to say how much of an image should be one shard. */
export interface SpeedMeter {
  /** Pixels of tile cores a second, by what is computed; `undefined` when that was not computed yet. */
  of(what: string): number | undefined;
  record(what: string, work: { readonly pixels: number; readonly seconds: number }): void;
}

/** Weight of what is new: shards differ, and machines get busy. */
const newest = 0.5;
/** So many kinds of work are remembered. */
const most = 64;

export function openSpeedMeter(): SpeedMeter {
  const speeds = new Map<string, number>();
  return {
    of: (what) => speeds.get(what),
    record: (what, { pixels, seconds }) => {
      if (pixels <= 0 || seconds <= 0) return;
      const known = speeds.get(what);
      const speed = pixels / seconds;
      speeds.delete(what);
      speeds.set(what, known === undefined ? speed : known ** (1 - newest) * speed ** newest);
      const [oldest] = speeds.keys();
      if (speeds.size > most && oldest !== undefined) speeds.delete(oldest);
    },
  };
}
