import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import type { Pixels } from "../image.ts";
import { loadSharp } from "../sharp.ts";

/** How the stored pixels become the displayed ones: mirrored first, then turned clockwise. */
interface Turn {
  readonly mirror: boolean;
  readonly degrees: 0 | 90 | 180 | 270;
  /** Whether a displayed axis runs against the stored axis. */
  readonly reverseX: boolean;
  readonly reverseY: boolean;
}

const upright: Turn = { mirror: false, degrees: 0, reverseX: false, reverseY: false };

/** TIFF 6.0 and Exif, tag Orientation (274). */
const turns: Readonly<Record<number, Turn>> = {
  2: { mirror: true, degrees: 0, reverseX: true, reverseY: false },
  3: { mirror: false, degrees: 180, reverseX: true, reverseY: true },
  4: { mirror: true, degrees: 180, reverseX: false, reverseY: true },
  5: { mirror: true, degrees: 270, reverseX: false, reverseY: false },
  6: { mirror: false, degrees: 90, reverseX: false, reverseY: true },
  7: { mirror: true, degrees: 90, reverseX: true, reverseY: true },
  8: { mirror: false, degrees: 270, reverseX: true, reverseY: false },
};

function turnOf(orientation: number): Turn {
  return turns[orientation] ?? upright;
}

/** Size as displayed of an image stored in this size; the same function leads back. */
export function orientedSize({ width, height }: Size, orientation: number): Size {
  return turnOf(orientation).degrees % 180 === 0 ? { width, height } : { width: height, height: width };
}

/** The stored rectangle that is displayed as this one; `stored` is the size of the stored image. */
export function storedRectangle(
  displayed: Rectangle,
  { orientation, stored }: { readonly orientation: number; readonly stored: Size },
): Rectangle {
  const { degrees, reverseX, reverseY } = turnOf(orientation);
  const { x, y, width, height } =
    degrees % 180 === 0
      ? displayed
      : { x: displayed.y, y: displayed.x, width: displayed.height, height: displayed.width };
  return {
    x: reverseX ? stored.width - x - width : x,
    y: reverseY ? stored.height - y - height : y,
    width,
    height,
  };
}

/** The reverse: where a stored rectangle is displayed. */
export function displayedRectangle(
  { x, y, width, height }: Rectangle,
  { orientation, stored }: { readonly orientation: number; readonly stored: Size },
): Rectangle {
  const { degrees, reverseX, reverseY } = turnOf(orientation);
  const across = reverseX ? stored.width - x - width : x;
  const down = reverseY ? stored.height - y - height : y;
  return degrees % 180 === 0
    ? { x: across, y: down, width, height }
    : { x: down, y: across, width: height, height: width };
}

/** Turns stored pixels as they are displayed. */
export async function orient(pixels: Pixels, orientation: number): Promise<Pixels> {
  const { mirror, degrees } = turnOf(orientation);
  if (!mirror && degrees === 0) return pixels;
  const raw = { width: pixels.width, height: pixels.height, channels: 3 } as const;
  const wide = pixels.samples === "uint16";
  const sharp = await loadSharp();
  const { data, info } = await sharp(pixels.data, { raw, limitInputPixels: false })
    .flop(mirror)
    .rotate(degrees)
    .toColourspace(wide ? "rgb16" : "srgb")
    .raw({ depth: wide ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const bytes = Uint8Array.from(data);
  const { width, height } = info;
  return wide
    ? { width, height, samples: "uint16", data: new Uint16Array(bytes.buffer) }
    : { width, height, samples: "uint8", data: bytes };
}
