import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { MapSamples, MapTile } from "../../explain/tile-program.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";

/** A tile of a map that rests on disk until the display scale is known. */
export interface ScratchTile {
  readonly path: string;
  readonly core: Rectangle;
  readonly samples: MapSamples;
}

export interface TileScratch {
  /** Keeps a tile; each (map, tile) once. */
  put(map: string, tile: number, core: Rectangle, values: MapTile): Promise<void>;
  /** The tiles of a map, by tile index. */
  tilesOf(map: string): readonly ScratchTile[];
}

/** Low and high as float64, then the samples. */
const headerBytes = 16;

/** Opens a scratch in a folder of the caller's, which also removes it. */
export async function openTileScratch(folder: string): Promise<TileScratch> {
  await mkdir(folder, { recursive: true });
  const maps = new Map<string, Map<number, ScratchTile>>();
  return {
    put: async (map, tile, core, values) => {
      const path = join(folder, `${map}-${tile}.tile`);
      const header = new Uint8Array(Float64Array.of(values.low, values.high).buffer);
      const { data } = values;
      try {
        await writeFile(path, [header, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
      } catch (error) {
        throw new SlidelightError(
          "output-unwritable",
          `Keeping a tile in the scratch folder "${folder}": ${error instanceof Error ? error.message : String(error)}. Choose another folder with --scratch, or free some space.`,
          { cause: error },
        );
      }
      const tiles = maps.get(map) ?? new Map<number, ScratchTile>();
      maps.set(map, tiles);
      tiles.set(tile, { path, core, samples: values.samples });
    },
    tilesOf: (map) =>
      [...(maps.get(map) ?? new Map<number, ScratchTile>())].sort((a, b) => a[0] - b[0]).map(([, tile]) => tile),
  };
}

/** Reads a tile back, at once: for worker threads. */
export function readScratchTile(tile: ScratchTile): MapTile {
  const file = readFileSync(tile.path);
  const [low = 0, high = 0] = new Float64Array(file.buffer.slice(file.byteOffset, file.byteOffset + headerBytes));
  const body = file.buffer.slice(file.byteOffset + headerBytes, file.byteOffset + file.byteLength);
  return tile.samples === "uint16"
    ? { low, high, samples: "uint16", data: new Uint16Array(body) }
    : { low, high, samples: "float32", data: new Float32Array(body) };
}
