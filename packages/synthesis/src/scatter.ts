import { uniform } from "./noise.ts";

/** A point of the plane, in its units, and what tells it from every other. */
export interface ScatteredPoint {
  readonly x: number;
  readonly y: number;
  /** Integers that name the point: seed whatever hangs on it by them. */
  readonly a: number;
  readonly b: number;
}

/** A rectangle of the plane, in its units; half-open. */
export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface ScatterSettings {
  readonly seed: number;
  /** No two points are nearer than this, in units. */
  readonly apart: number;
  /** Candidates that are refused before they compete, and so push no neighbour aside. */
  readonly accept: (x: number, y: number, point: ScatteredPoint) => boolean;
}

interface Candidate extends ScatteredPoint {
  readonly rank: number;
}

const candidatesPerCell = 2;

/**
 * The points of an endless scatter that lie in `bounds`: a hard-core process (Matérn's second), which unlike a jittered
 * grid shows no rows. A candidate stays if none of lower rank lies within `apart`, so whether a point exists depends on
 * its neighbourhood alone, and any two bounds agree where they overlap. Ordered by grid cell, the same in every bounds.
 */
export function scatter(bounds: Bounds, { seed, apart, accept }: ScatterSettings): readonly ScatteredPoint[] {
  const firstColumn = Math.floor(bounds.left / apart);
  const firstRow = Math.floor(bounds.top / apart);
  const columns = Math.ceil(bounds.right / apart) - firstColumn;
  const rows = Math.ceil(bounds.bottom / apart) - firstRow;
  const stride = columns + 2;
  const cells: Candidate[][] = [];
  for (let row = -1; row <= rows; row += 1) {
    for (let column = -1; column <= columns; column += 1) {
      cells.push(candidates(firstColumn + column, firstRow + row, { seed, apart, accept }));
    }
  }
  const points: ScatteredPoint[] = [];
  for (let row = 1; row <= rows; row += 1) {
    for (let column = 1; column <= columns; column += 1) {
      for (const candidate of cells[row * stride + column] ?? []) {
        const { x, y } = candidate;
        if (x < bounds.left || x >= bounds.right || y < bounds.top || y >= bounds.bottom) continue;
        if (!isOutranked(candidate, cells, row * stride + column, stride, apart)) points.push(candidate);
      }
    }
  }
  return points;
}

function candidates(column: number, row: number, { seed, apart, accept }: ScatterSettings): Candidate[] {
  const found: Candidate[] = [];
  for (let i = 0; i < candidatesPerCell; i += 1) {
    const candidate = {
      x: (column + uniform(seed, column, row, 3 * i)) * apart,
      y: (row + uniform(seed, column, row, 3 * i + 1)) * apart,
      rank: uniform(seed, column, row, 3 * i + 2),
      a: column,
      b: row * candidatesPerCell + i,
    };
    if (accept(candidate.x, candidate.y, candidate)) found.push(candidate);
  }
  return found;
}

function isOutranked(
  { x, y, rank }: Candidate,
  cells: readonly (readonly Candidate[])[],
  at: number,
  stride: number,
  apart: number,
): boolean {
  for (const row of [-stride, 0, stride]) {
    for (let cell = at + row - 1; cell <= at + row + 1; cell += 1) {
      for (const other of cells[cell] ?? []) {
        const near = (other.x - x) * (other.x - x) + (other.y - y) * (other.y - y) < apart * apart;
        if (near && other.rank < rank) return true;
      }
    }
  }
  return false;
}
