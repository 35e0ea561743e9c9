import type { Rectangle } from "../../geometry/rectangle.ts";
import type { LevelIndex } from "../../geometry/units.ts";
import type { ImageLevel } from "../image.ts";

/**
 * The level of an index, when the rectangle lies within it.
 * @throws {RangeError} for an unknown level or a rectangle that does not.
 */
export function checkRectangle(levels: readonly ImageLevel[], level: LevelIndex, rectangle: Rectangle): ImageLevel {
  const found = levels[level];
  if (found === undefined) throw new RangeError(`The image has ${levels.length} levels, got level ${level}.`);
  const { x, y, width, height } = rectangle;
  const inside = x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= found.width && y + height <= found.height;
  if (!inside || ![x, y, width, height].every(Number.isSafeInteger)) {
    throw new RangeError(
      `A rectangle lies within its level of ${found.width}x${found.height} pixels, got ${width}x${height} at ${x}, ${y}.`,
    );
  }
  return found;
}
