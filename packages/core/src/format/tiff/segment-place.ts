import type { ErrorDetail } from "../../errors/slidelight-error.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { displayedRectangle } from "../images/orientation.ts";
import type { Page } from "./page.ts";

/** Where a tile or strip lies. */
export interface SegmentPlace {
  readonly level: number;
  /** In the file's own order of tiles. */
  readonly column: number;
  readonly row: number;
  /** As displayed, without what lies beyond the level's edge. */
  readonly rectangle: Rectangle;
  /** To print. */
  readonly text: string;
}

/** @param at.orientation of the file's first page, which turns all of them */
export function segmentPlace(
  page: Page,
  at: { readonly level: number; readonly index: number; readonly orientation: number },
): SegmentPlace {
  const { level, index, orientation } = at;
  const column = index % page.columns;
  const row = Math.floor(index / page.columns);
  const x = column * page.segmentWidth;
  const y = row * page.segmentHeight;
  const stored = {
    x,
    y,
    width: Math.min(page.segmentWidth, page.width - x),
    height: Math.min(page.segmentHeight, page.height - y),
  };
  const rectangle = displayedRectangle(stored, { orientation, stored: page });
  const bytes = page
    .ranges(index)
    .map(({ offset, length }) => `${offset} to ${offset + length}`)
    .join(", ");
  const pixels = `${rectangle.width}x${rectangle.height} pixels at ${rectangle.x}, ${rectangle.y}`;
  const kind = page.tiled ? "tile" : "strip";
  return {
    level,
    column,
    row,
    rectangle,
    text: `the ${kind} at column ${column}, row ${row} of level ${level} (${pixels}; bytes ${bytes})`,
  };
}

/** The same, for an error's detail. */
export function placeDetail({ level, column, row, rectangle }: SegmentPlace): ErrorDetail {
  return { level, column, row, ...rectangle };
}
