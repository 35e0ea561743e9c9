import type { Pixels } from "../format/image.ts";
import type { Size } from "../geometry/rectangle.ts";

/** How a square is cut out of an image. Beyond the image's border it is mirrored. */
export interface View {
  /** In the image, in pixels; negative where the image is smaller than the square. */
  readonly left: number;
  readonly top: number;
  /** The square is mirrored along x, then along y, then its axes are exchanged: the eight symmetries of a square. */
  readonly mirrorX: boolean;
  readonly mirrorY: boolean;
  readonly transposed: boolean;
}

export interface ViewChoices {
  readonly side: number;
  /** Whether the square lies anywhere in the image, or in its middle. */
  readonly crops: "random" | "centre";
  /** Whether it may be mirrored, and turned by quarters. */
  readonly flips: boolean;
  readonly rotations: boolean;
}

/** The square in the image's middle, as it is. */
export function centreView({ width, height }: Size, side: number): View {
  const left = Math.floor((width - side) / 2);
  const top = Math.floor((height - side) / 2);
  return { left, top, mirrorX: false, mirrorY: false, transposed: false };
}

/** A square by chance; always draws the same number of times. */
export function randomView(size: Size, { side, crops, flips, rotations }: ViewChoices, random: () => number): View {
  const [x, y, first, second, third] = [random(), random(), random(), random(), random()];
  const centre = centreView(size, side);
  const place = (extent: number, middle: number, at: number): number =>
    crops === "random" && extent > side ? Math.floor(at * (extent - side + 1)) : middle;
  // A half turn mirrors both axes; a quarter turn exchanges them and mirrors one.
  const quarters = rotations ? Math.floor(first * 4) : 0;
  const transposed = quarters % 2 === 1;
  const mirrored = { x: flips && second < 0.5, y: flips && third < 0.5 };
  return {
    left: place(size.width, centre.left, x),
    top: place(size.height, centre.top, y),
    mirrorX: mirrored.x !== quarters >= 2,
    mirrorY: mirrored.y !== (quarters === 1 || quarters === 2),
    transposed,
  };
}

/** Writes the square of `side` x `side` pixels, RGB bytes row by row, into `to` from `offset` on. */
export function copyView(
  pixels: Pixels,
  view: View,
  { side, to, offset }: { readonly side: number; readonly to: Uint8Array; readonly offset: number },
): void {
  const { width, height, data } = pixels;
  // Of 16 bits the upper eight.
  const shift = pixels.samples === "uint16" ? 8 : 0;
  const positions = (start: number, extent: number, mirror: boolean): Int32Array =>
    Int32Array.from({ length: side }, (_, index) => mirrored(start + (mirror ? side - 1 - index : index), extent));
  const columns = positions(view.left, width, view.mirrorX);
  const rows = positions(view.top, height, view.mirrorY);
  let at = offset;
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [u, v] = view.transposed ? [y, x] : [x, y];
      const from = ((rows[v] ?? 0) * width + (columns[u] ?? 0)) * 3;
      to[at] = (data[from] ?? 0) >> shift;
      to[at + 1] = (data[from + 1] ?? 0) >> shift;
      to[at + 2] = (data[from + 2] ?? 0) >> shift;
      at += 3;
    }
  }
}

/** A position folded back into 0..extent - 1; the border itself is not repeated. */
function mirrored(position: number, extent: number): number {
  if (extent === 1) return 0;
  const period = 2 * (extent - 1);
  const within = ((position % period) + period) % period;
  return within < extent ? within : period - within;
}
