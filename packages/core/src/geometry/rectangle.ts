import type { Interval } from "./interval.ts";

/** A rectangle of pixels of one level; origin at the top left. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle as one interval along each axis. */
export interface Region {
  readonly y: Interval;
  readonly x: Interval;
}

export function regionOf(rectangle: Rectangle): Region {
  return {
    y: { start: rectangle.y, end: rectangle.y + rectangle.height },
    x: { start: rectangle.x, end: rectangle.x + rectangle.width },
  };
}

export function rectangleOf(region: Region): Rectangle {
  return {
    x: region.x.start,
    y: region.y.start,
    width: Math.max(0, region.x.end - region.x.start),
    height: Math.max(0, region.y.end - region.y.start),
  };
}
