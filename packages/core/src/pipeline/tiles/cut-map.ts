import type { MapTile } from "../../explain/tile-program.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { giveBuffers, takeBuffer } from "../../io/used-buffers.ts";

/** The part of a map's tile that is its own: a copy, where it is not all of it. The buffer of what was cut is given away. */
export function cutMap(tile: MapTile, window: Rectangle, core: Rectangle): MapTile {
  if (window.width === core.width && window.height === core.height) return tile;
  const { low, high } = tile;
  const length = core.width * core.height;
  const part: MapTile =
    tile.samples === "uint16"
      ? { low, high, samples: tile.samples, data: new Uint16Array(takeBuffer(length * 2)) }
      : { low, high, samples: tile.samples, data: new Float32Array(takeBuffer(length * 4)) };
  const corner = (core.y - window.y) * window.width + core.x - window.x;
  for (let row = 0; row < core.height; row += 1) {
    const from = corner + row * window.width;
    part.data.set(tile.data.subarray(from, from + core.width), row * core.width);
  }
  giveBuffers([tile]);
  return part;
}
