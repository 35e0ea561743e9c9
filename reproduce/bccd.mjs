// Blood smears with boxes (BCCD): whether there are platelets in an image, which the class says and boxes show; cross-validated.
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { inFolds, writeFold } from "./folds.mjs";
import { networks } from "./networks.mjs";

const folds = 3;
const epochs = 20;
/** Of 640 x 480 px: a platelet is some 13 px wide then. */
const size = { width: 216, height: 162 };
/** The whole image, and a multiple of every network's stride. */
const crop = 224;
const compared = [
  "cnn-8",
  "cnn-16",
  "cnn-32",
  "cnn-8-generalised-mean-equivariance",
  "unet-mean-only",
  "unet-mean-encoder-loss",
  "unet-generalised-mean-encoder-loss",
  "unet-generalised-mean",
];

export const bccd = {
  name: "bccd",
  title: "Platelets in blood smears",
  networks: networks.filter(({ name }) => compared.includes(name)),
  repeats: "folds",
  reports: [{ title: "Platelets: PxAP of boxes, on one scale for all images", kind: "boxes", key: "pxap" }],
  needs: (data) => join(data, "bccd", "Annotations"),
  async prepare({ folder, data }) {
    const images = [];
    for (const file of readdirSync(join(data, "bccd", "Annotations")).toSorted()) {
      const name = file.replace(/\.xml$/u, "");
      const boxes = plateletsOf(readFileSync(join(data, "bccd", "Annotations", file), "utf8"));
      const label = boxes.length > 0 ? "platelets" : "none";
      const masks = boxes.length > 0 ? { boxes: `boxes/${name}.png` } : {};
      images.push({ image: `images/${name}.png`, label, masks, group: label, name, boxes });
    }
    for (const image of images) await writeImage({ folder, data, ...image });
    const placed = inFolds(images, folds);
    const options = ["--classes", "none,platelets", "--crop", String(crop)];
    options.push("--epochs", String(epochs), "--patience", "0", "--seed", "1");
    return Array.from({ length: folds }, (_, fold) => {
      const { training, judging } = writeFold({ folder, images: placed, fold, kinds: ["boxes"] });
      return { name: `fold-${fold + 1}`, training: [training, ...options], judging: { boxes: [judging.boxes] } };
    });
  },
};

/** Boxes of platelets in a Pascal VOC annotation. */
function plateletsOf(xml) {
  return [...xml.matchAll(/<object>.*?<\/object>/gsu)]
    .map(([object]) => object)
    .filter((object) => object.includes("<name>Platelets</name>"))
    .map((object) => {
      const number = (name) => Number(new RegExp(`<${name}>(\\d+)</${name}>`, "u").exec(object)?.[1]);
      const [left, top] = [number("xmin"), number("ymin")];
      return { left, top, width: number("xmax") - left, height: number("ymax") - top };
    });
}

async function writeImage({ folder, data, image, masks, name, boxes }) {
  const paths = [image, ...Object.values(masks)].map((path) => join(folder, path));
  if (paths.every((path) => existsSync(path))) return;
  for (const path of paths) mkdirSync(join(path, ".."), { recursive: true });
  const source = join(data, "bccd", "JPEGImages", `${name}.jpg`);
  const whole = await sharp(source).metadata();
  await sharp(source)
    .resize({ ...size, fit: "fill" })
    .png()
    .toFile(join(folder, image));
  if (masks.boxes === undefined) return;
  const mask = new Uint8Array(size.width * size.height);
  const [right, down] = [size.width / whole.width, size.height / whole.height];
  for (const { left, top, width, height } of boxes) {
    for (let y = Math.round(top * down); y < Math.min(size.height, Math.round((top + height) * down)); y += 1) {
      const from = y * size.width;
      mask.fill(255, from + Math.round(left * right), from + Math.min(size.width, Math.round((left + width) * right)));
    }
  }
  await sharp(mask, { raw: { ...size, channels: 1 } })
    .png()
    .toFile(join(folder, masks.boxes));
}
