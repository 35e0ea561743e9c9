/** What was seen from time to time; never more than twice as many points as asked for, whatever the night's length. */
export interface Timeline<P> {
  /** Takes a point if it is time for one. */
  at(seconds: number, point: () => P): void;
  readonly points: readonly (P & { readonly seconds: number })[];
}

export function openTimeline<P extends object>(most: number): Timeline<P> {
  let points: (P & { readonly seconds: number })[] = [];
  let interval = 10;
  let next = 0;
  return {
    at: (seconds, point) => {
      if (seconds < next) return;
      points.push({ ...point(), seconds: Math.round(seconds) });
      if (points.length >= most) {
        points = points.filter((_, index) => index % 2 === 0);
        interval *= 2;
      }
      next = seconds + interval;
    },
    get points() {
      return points;
    },
  };
}
