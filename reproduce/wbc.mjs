// White blood cells (Zheng et al., Micron 107, 2018): an image-level class each, true masks of cell and nucleus; cross-validated.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { inFolds, writeFold } from "./folds.mjs";
import { changes, networks } from "./networks.mjs";
import { rowsOf } from "./table.mjs";

const folds = 3;
const epochs = 25;
/** Basophils are left out: four images can be neither learnt nor judged. */
const classes = ["neutrophil", "lymphocyte", "monocyte", "eosinophil"];
/** Pixels of the first data set's images; those of the second, 300 x 300, are made as small, so that cells are alike in size. */
const side = 120;
/** Values of the masks from which on a pixel is evidence; what is nucleus is cell too. */
const kinds = { cell: 64, nucleus: 192 };

export const wbc = {
  name: "wbc",
  title: "White blood cells",
  networks: [...networks, ...changes],
  repeats: "folds",
  reports: [
    { title: "White blood cells, the cell: PxAP on a scale for each image", kind: "cell", key: "pxapImage" },
    { title: "White blood cells, the nucleus: PxAP on a scale for each image", kind: "nucleus", key: "pxapImage" },
  ],
  needs: (data) => join(data, "wbc", "labels.csv"),
  async prepare({ folder, data }) {
    const images = [];
    for (const { image, label, mask } of rowsOf(join(data, "wbc", "labels.csv"))) {
      if (!classes.includes(label)) continue;
      const name = image.replace("/images/", "-");
      const masks = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, `${kind}/${name}`]));
      images.push({
        image: `images/${name}`,
        label,
        masks,
        group: `${label} of ${image.split("/")[0]}`,
        from: { image, mask },
      });
    }
    for (const { image, masks, from } of images) await writeImage({ folder, data, image, masks, from });
    const placed = inFolds(images, folds);
    const options = ["--classes", classes.join(","), "--epochs", String(epochs), "--patience", "0", "--seed", "1"];
    return Array.from({ length: folds }, (_, fold) => {
      const { training, judging } = writeFold({ folder, images: placed, fold, kinds: Object.keys(kinds) });
      return {
        name: `fold-${fold + 1}`,
        training: [training, ...options],
        judging: Object.fromEntries(Object.entries(judging).map(([kind, table]) => [kind, [table]])),
      };
    });
  },
};

async function writeImage({ folder, data, image, masks, from }) {
  const written = [image, ...Object.values(masks)].map((path) => join(folder, path));
  if (written.every((path) => existsSync(path))) return;
  for (const path of written) mkdirSync(join(path, ".."), { recursive: true });
  const source = sharp(join(data, "wbc", from.image))
    .resize(side, side)
    .removeAlpha();
  await source.png().toFile(join(folder, image));
  for (const [kind, least] of Object.entries(kinds)) {
    await sharp(join(data, "wbc", from.mask))
      .resize(side, side, { kernel: "nearest" })
      .toColourspace("b-w")
      .threshold(least)
      .png()
      .toFile(join(folder, masks[kind]));
  }
}
