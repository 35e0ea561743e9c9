// Maps side by side: image, mask, and the best maps of each kind of network, of some judged images.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, sep } from "node:path";
import sharp from "sharp";
import { rivals } from "./summary.mjs";
import { rowsOf } from "./table.mjs";
import { slidelight } from "./trial.mjs";

const shown = 4;
const side = 192;
const gap = 4;

/**
 * Rows of image, mask, then for ordinary CNN and U-Net their best map of features and, where it is another, their best of any method, and the
 * best of the other CNNs; by networks of the first repeat. Black is a map's least value, white its largest.
 * @returns The columns after the mask, in words.
 */
export async function drawMaps({ folder, repeats, report, picture, signal }) {
  const { summaries, kind, key } = report;
  const [features, any] = [rivals(summaries, key, "features"), rivals(summaries, key)];
  const columns = [features.cnn, any.cnn, any["helped-cnn"], features.unet, any.unet].filter(
    (column, index, all) => column !== undefined && all.findIndex((other) => isSame(other, column)) === index,
  );
  const [repeat] = repeats;
  const [table] = repeat.judging[kind];
  const images = await chosen(table);
  const scratch = mkdtempSync(join(tmpdir(), "slidelight-maps-"));
  try {
    const pictures = images.map(({ image, mask }) => [image, mask]);
    for (const { network, method } of columns) {
      const model = join(folder, network, repeat.name, "model.onnx");
      for (const label of new Set(images.map((image) => image.label))) {
        const own = images.filter((image) => image.label === label).map(({ image }) => image);
        const out = join(scratch, network, method, label);
        const args = ["--method", method, "--target", `${label}-others`, "--threads", "1", "--quiet"];
        const log = join(scratch, "log.txt");
        await slidelight(["explain", ...own, "--model", model, "--out", out, ...args], { log, signal });
        const written = readdirSync(out, { recursive: true }).filter((path) => path.endsWith("map.tif"));
        for (const [row, { image }] of images.entries()) {
          const map = written.find((path) => path.split(sep).includes(basename(image)));
          if (own.includes(image)) pictures[row].push(join(out, map));
        }
      }
    }
    await drawGrid(pictures, picture);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return columns;
}

function isSame(a, b) {
  return a !== undefined && b !== undefined && a.network === b.network && a.method === b.method;
}

/** Images with a mask, classes in turn. */
async function chosen(table) {
  const byLabel = new Map();
  for (const { image, label, mask } of rowsOf(table)) {
    if (mask === "" || (byLabel.get(label)?.length ?? 0) === shown || !(await hasEvidence(from(table, mask)))) continue;
    byLabel.set(label, [...(byLabel.get(label) ?? []), { image: from(table, image), label, mask: from(table, mask) }]);
  }
  const turns = Array.from({ length: shown }, (_, turn) =>
    [...byLabel.values()].flatMap((own) => own.slice(turn, turn + 1)),
  );
  return turns.flat().slice(0, shown);
}

async function hasEvidence(mask) {
  const { channels } = await sharp(mask).stats();
  return channels.some(({ max }) => max > 0);
}

function from(table, path) {
  return join(dirname(table), path);
}

async function drawGrid(rows, path) {
  const cells = rows.flatMap((row, y) => row.map((source, x) => ({ source, x, y })));
  const placed = cells.map(async ({ source, x, y }) => {
    const input = await sharp(source, { page: 0 })
      .resize(side, side, { kernel: "nearest", fit: "contain" })
      .toColourspace("srgb")
      .png()
      .toBuffer();
    return { input, left: x * (side + gap), top: y * (side + gap) };
  });
  const [width, height] = [rows[0].length, rows.length].map((count) => count * (side + gap) - gap);
  const background = "#ffffff";
  await sharp({ create: { width, height, channels: 3, background } })
    .composite(await Promise.all(placed))
    .jpeg({ quality: 88 })
    .toFile(path);
}
