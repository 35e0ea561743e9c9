import type { MapTile } from "../../explain/tile-program.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";

type Samples = MapTile["data"];

/** The samples of a part of what they cover, moved to the front of their memory: those that lay there are gone. */
export function cutSamples(data: Samples, whole: Rectangle, part: Rectangle): Samples {
  const corner = (part.y - whole.y) * whole.width + part.x - whole.x;
  const own = data.subarray(0, part.width * part.height);
  // They are there: most tiles cover no more than their core.
  if (corner === 0 && part.width === whole.width) return own;
  for (let row = 0; row < part.height; row += 1) {
    const from = corner + row * whole.width;
    data.copyWithin(row * part.width, from, from + part.width);
  }
  return own;
}
