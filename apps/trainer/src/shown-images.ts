import { pictureMap, pictureMask, picturePixels } from "@slidelight/core";
import type { ImageEvaluation, Pixels } from "@slidelight/core";
import type { ShownImage } from "./evaluation-report.ts";
import type { MaskedImage } from "./read-masked-image.ts";

/** Keeps pictures of so many of the images that go by, each as likely as another; pixels are not kept. */
export interface ShownImages {
  consider(image: MaskedImage, evaluation: ImageEvaluation): Promise<void>;
  /** In the order in which they went by. */
  all(): readonly ShownImage[];
}

/**
 * A reservoir (Vitter 1985, algorithm R).
 * @param random Numbers in [0, 1).
 */
export function openShownImages(
  count: number,
  { classes, random }: { readonly classes: readonly string[]; random(): number },
): ShownImages {
  const kept: { readonly order: number; readonly image: ShownImage }[] = [];
  let seen = 0;
  return {
    consider: async (image, evaluation) => {
      const order = seen;
      seen += 1;
      const place = order < count ? order : Math.floor(random() * seen);
      if (place < count) kept[place] = { order, image: await shownImage(image, evaluation, classes) };
    },
    all: () => kept.toSorted((a, b) => a.order - b.order).map(({ image }) => image),
  };
}

async function shownImage(
  { entry, pixels, mask }: MaskedImage,
  { predicted, explained, probabilities, maps }: ImageEvaluation,
  classes: readonly string[],
): Promise<ShownImage> {
  const size: Pick<Pixels, "width" | "height"> = pixels;
  return {
    name: entry.name,
    label: classes[entry.label] ?? "",
    predicted: classes[predicted] ?? "",
    explained: classes[explained] ?? "",
    probability: probabilities[predicted] ?? Number.NaN,
    image: dataAddress("image/jpeg", await picturePixels(pixels)),
    ...(mask === undefined ? {} : { mask: dataAddress("image/png", await pictureMask(mask, size)) }),
    maps: await Promise.all(maps.map(async (map) => dataAddress("image/png", await pictureMap(map, size)))),
  };
}

function dataAddress(type: string, data: Buffer): string {
  return `data:${type};base64,${data.toString("base64")}`;
}
