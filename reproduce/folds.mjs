// Cross-validation on a table of images: every image is judged once, by a network that has not seen it.
import { join } from "node:path";
import { write } from "./trial.mjs";

/**
 * Sets each image's fold, 0 to folds - 1: within each group (a class, or a class of one source) images take turns, in the
 * order of a hash, so that folds are alike and the same everywhere.
 */
export function inFolds(images, folds) {
  const turns = new Map();
  return images
    .map((image) => ({ ...image, order: scattered(image.image) }))
    .sort((a, b) => a.order - b.order || (a.image < b.image ? -1 : 1))
    .map((image) => {
      const turn = turns.get(image.group) ?? 0;
      turns.set(image.group, turn + 1);
      return { ...image, fold: turn % folds };
    });
}

/** FNV-1a of a text, 32 bits. */
function scattered(text) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * Writes a fold's tables: of the others' images to train with, and of its own to judge, one for each kind of mask.
 * @returns Their paths: `training`, and `judging` by kind of mask.
 */
export function writeFold({ folder, images, fold, kinds }) {
  const table = (name, lines) => {
    const path = join(folder, name);
    write(path, `${lines.join("\n")}\n`);
    return path;
  };
  const [own, others] = [images.filter((image) => image.fold === fold), images.filter((image) => image.fold !== fold)];
  const training = table(`fold-${fold + 1}-training.csv`, [
    "image,label",
    ...others.map(({ image, label }) => `${image},${label}`),
  ]);
  const judging = kinds.map((kind) => {
    const lines = own.map(({ image, label, masks }) => `${image},${label},${masks[kind] ?? ""}`);
    return [kind, table(`fold-${fold + 1}-${kind}.csv`, ["image,label,mask", ...lines])];
  });
  return { training, judging: Object.fromEntries(judging) };
}
