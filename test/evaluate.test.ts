import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  defaultUNet,
  encodeOnnx,
  openEngine,
  openPixelExplainer,
  openProgramCache,
  readOnnx,
  unetGraph,
  unetParameters,
} from "@slidelight/core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { add, constant, conv, input, matMul, reduceMean, relu, reshape } from "../packages/core/src/graph/build.ts";
import { graphOf } from "../packages/core/src/graph/graph.ts";
import { float32 } from "../packages/core/src/graph/tensor.ts";
import { slidelight } from "./slidelight.ts";

const side = 16;
const spot = 4;
let folder = "";

/** Its class activation map for "spot" is how red each pixel is; an image is a spot when red is 1/40 of it or more. */
function redModel({ blue = 0, deep = false } = {}): Uint8Array {
  const image = input("image", { type: "float32", shape: [1, 3, side, side], spatial: [2, 3] });
  const red = conv(image, constant(float32([1, 3, 1, 1], [1, 0, blue])), constant(float32([1], [0])), { name: "red" });
  const pooled = reshape(reduceMean(red, [2, 3]), [1, 1]);
  const linear = add(matMul(pooled, constant(float32([1, 2], [0, 40]))), constant(float32([1, 2], [1, 0])));
  const scores = deep ? matMul(relu(linear), constant(float32([2, 2], [1, 0, 0, 1]))) : linear;
  return encodeOnnx(graphOf({ scores }), { metadata: { "slidelight.classes": '["plain","spot"]' } });
}

/** A black square of pixels with a bright one in it, at its left and upper corner. */
async function write(
  name: string,
  { at, colour, size = side }: { at?: readonly [number, number]; colour: readonly number[]; size?: number },
): Promise<void> {
  const data = new Uint8Array(size * size * 3);
  for (let index = 0; at !== undefined && index < spot * spot; index += 1) {
    const [x, y] = [at[0] + (index % spot), at[1] + Math.floor(index / spot)];
    data.set(colour, 3 * (y * size + x));
  }
  await sharp(data, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toFile(join(folder, name));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-evaluate-"));
  await writeFile(join(folder, "red.onnx"), redModel());
  await writeFile(join(folder, "deep.onnx"), redModel({ deep: true }));
  // Sums of what is blue are beyond float32.
  await writeFile(join(folder, "hot.onnx"), redModel({ blue: 3e38 }));
  const red = [255, 0, 0];
  const white = [255, 255, 255];
  const places = { a: [0, 0], b: [4, 8], c: [12, 12] } as const;
  for (const [name, at] of Object.entries(places)) {
    await write(`${name}.png`, { at, colour: red });
    // The mask of the last one is not where its spot is.
    await write(`${name}-mask.png`, { at: name === "c" ? [0, 0] : at, colour: white });
  }
  await write("plain.png", { colour: red });
  await write("empty-mask.png", { colour: white });
  await write("large-mask.png", { colour: white, size: side + 1 });
  await writeFile(join(folder, "broken.png"), "no image");
  await write("blue.png", { at: [0, 0], colour: [0, 0, 255] });
  const rows = [
    "a.png,spot,a-mask.png",
    "plain.png,plain,",
    "b.png,spot,b-mask.png",
    "./plain.png,plain,",
    "c.png,1,c-mask.png",
    "d.png,plain,",
    "broken.png,plain,",
    "a-mask.png,spot,large-mask.png",
    "b-mask.png,spot,gone.png",
    "empty-mask.png,plain,empty-mask.png",
  ];
  await writeFile(join(folder, "all.csv"), ["image,label,mask", ...rows].join("\n"));
  await writeFile(join(folder, "broken.csv"), "image,label,mask\nbroken.png,spot,\n");
  await writeFile(join(folder, "blue.csv"), "image,label,mask\nblue.png,spot,\n");
  await writeFile(join(folder, "strange.csv"), "image,label,mask\na.png,tumour,\n");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Of a "spot" whose 16 red pixels go first, a quarter of the pixels at a time, to the mean colour (16, 0, 0). */
function spotDeletion(): number {
  const probability = (red: number): number => 1 / (1 + Math.exp(1 - 40 * red));
  const curve = [1 / 16, ...[1, 2, 3, 4].map((step) => (step / 4) * (16 / 255))].map(probability);
  const [first = 0, second = 0, third = 0, fourth = 0, last = 0] = curve;
  return (first / 2 + second + third + fourth + last / 2) / 4;
}

const engine = ["--engine", "onnxruntime", "--threads", "1"];
const evaluate = (...args: readonly string[]) =>
  slidelight(["evaluate", "--model", "red.onnx", ...engine, ...args], { folder });

describe("slidelight evaluate", () => {
  test("scores maps against masks, leaves out what it can't read, and writes a report", async () => {
    const args = ["all.csv", "--methods", "cam,saliency", "--steps", "4", "--json"];
    const { status, stdout, stderr } = await evaluate(...args, "--out", "out/judged", "--randomise", "cascade");
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toMatch(/4 images are left out:[^]*expected 16 x 16 pixels, as the image has, got 17 x 17/u);
    // Of 48 evidence pixels 32 are red, of 48 red pixels too.
    const found = 32 / 48;
    const pxap = expect.closeTo(found * found + (1 - found) * (48 / 768), 6);
    const share = expect.closeTo(48 / 768, 6);
    const document: unknown = JSON.parse(stdout);
    expect(document).toMatchObject({
      schemaVersion: 1,
      classes: ["plain", "spot"],
      target: "label",
      images: { all: 5, withEvidence: 3, sampled: 5 },
      accuracy: 1,
      auc: 1,
      confusion: [
        [2, 0],
        [0, 3],
      ],
      constantMap: { pxap: share, pxapImage: share, pointingGame: share, massAccuracy: share, rankAccuracy: share },
      unsuitable: [],
      skipped: [
        { image: "d.png", code: "image-not-found" },
        { image: "broken.png", code: "image-not-an-image" },
        { image: "a-mask.png", code: "evaluation-data" },
        { image: "b-mask.png", code: "image-not-found" },
      ],
    });
    expect(document).toMatchObject({
      methods: [
        {
          method: "cam",
          reading: "value",
          pxap,
          pxapImage: pxap,
          dice: expect.closeTo(found, 6),
          iou: expect.closeTo(1 / 2, 6),
          pointingGame: expect.closeTo(found, 6),
          massAccuracy: expect.closeTo(found, 6),
          rankAccuracy: expect.closeTo(found, 6),
          // Of the two plain images nothing changes.
          deletion: expect.closeTo((3 * spotDeletion() + 2 / (1 + Math.exp(-1))) / 5, 6),
          randomisations: [{ share: 0.25 }, { share: 0.5 }, { share: 0.75 }, { share: 1 }],
        },
        // The gradient of a linear model is the same everywhere: nothing is found, and nothing correlates.
        { method: "saliency", pxap: share, pointingGame: share, rankAccuracy: share, randomised: null },
      ],
    });
    expect((await readdir(join(folder, "out/judged"))).toSorted()).toEqual(["evaluation.html", "evaluation.json"]);
    expect(await readFile(join(folder, "out/judged/evaluation.json"), "utf8")).toBe(stdout);
    const report = await readFile(join(folder, "out/judged/evaluation.html"), "utf8");
    // Image, mask and two maps of each image with evidence; nothing from elsewhere.
    expect(report.match(/<img src="data:image\//gu)?.length).toBe(12);
    expect(report).not.toMatch(/(?:src|href)="(?!data:)/u);
    for (const text of ["a-mask.png", "Choe et al. 2020", "Adebayo et al. 2018", "<svg "]) {
      expect(report).toContain(text);
    }

    // The same again, to the last digit.
    expect((await evaluate(...args, "--randomise", "cascade")).stdout).toBe(stdout);
  });

  test("prints a table, with a dash for what was not measured", async () => {
    const { status, stdout } = await evaluate("all.csv", "--sample", "0", "--quiet");
    expect(status).toBe(0);
    const [head = "", , , ...lines] = stdout.split("\n");
    expect(head).toBe("5 images, 3 with evidence, 0 sampled; accuracy 1.000, AUC 1.000");
    expect(lines.map((line) => line.split(/\s+/u)[0])).toEqual([
      "cam",
      "grad-cam",
      "hires-cam",
      "layer-cam",
      "saliency",
      "|input-x-gradient|",
      "constant",
      "",
      "PxAP,",
      "",
    ]);
    expect(lines[0]).toMatch(/^cam +0\.465 +0\.667 +0\.500 .*– +– +–$/u);
  });

  test("explains a class against the others where asked: what speaks for them speaks against it", async () => {
    await writeFile(join(folder, "against.csv"), "image,label,mask\na.png,plain,a-mask.png\n");
    const args = ["against.csv", "--methods", "cam", "--sample", "0", "--json"];
    const [label, contrast] = await Promise.all([evaluate(...args), evaluate(...args, "--target", "contrast")]);
    // Nothing speaks for "plain": its map is the same everywhere. The red pixels are what speaks against it.
    expect(JSON.parse(label.stdout)).toMatchObject({ target: "label", methods: [{ pointingGame: 1 / 16 }] });
    expect(JSON.parse(contrast.stdout)).toMatchObject({ target: "contrast", methods: [{ pointingGame: 0 }] });
  });

  test("refuses what it can't judge, and says why", async () => {
    const cases = [
      [["strange.csv"], 1, /\[evaluation-data\].*which are plain, spot; got "tumour" \(1 line\)/u],
      [["broken.csv"], 1, /all 1 were left out/u],
      [["blue.csv", "--model", "hot.onnx"], 1, /\[model-overflow\] [^]*all 1 were left out/u],
      [["all.csv", "--model", "deep.onnx", "--methods", "cam"], 1, /\[method-unsuitable\].*Use grad-cam/u],
      [["gone.csv"], 1, /\[image-not-found\].*gone\.csv/u],
      [["all.csv", "--target", "tumour"], 2, /--target.*expected label, contrast or top1/u],
      [["all.csv", "--methods", "cam", "--mean", "1"], 2, /--mean.*expected three numbers/u],
    ] as const;
    const outcomes = await Promise.all(cases.map(([args]) => evaluate(...args)));
    for (const [index, [, status, message]] of cases.entries()) {
      expect(outcomes[index]).toMatchObject({ status, stdout: "", stderr: expect.stringMatching(message) });
    }
  });
});

test("classifying an image gives the scores that explaining it gives, however it is cut into tiles", async () => {
  const settings = { ...defaultUNet, depth: 1, baseChannels: 2, classes: 3 };
  const bytes = encodeOnnx(unetGraph(settings, unetParameters(settings), { width: 64, height: 64 }), {
    dynamicAxes: true,
  });
  const model = readOnnx(bytes, { uri: "unet.onnx" });
  await using computing = await openEngine({ engine: "onnxruntime", threads: 1 });
  await using programs = openProgramCache(computing);
  const data = Uint8Array.from({ length: 300 * 200 * 3 }, (_, index) => (index * 7919) % 251);
  const pixels = { width: 300, height: 200, samples: "uint8", data } as const;
  const common = { engine: computing, programs, model, mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const classes = ["0", "1", "2"];
  const whole = await openPixelExplainer(common).classify(pixels, classes);
  let tiles = 0;
  const inTiles = openPixelExplainer({
    ...common,
    memoryBytes: 4e6,
    observe: ({ kind }) => {
      if (kind === "tile-done") tiles += 1;
    },
  });
  const [explained] = await inTiles.explain(pixels, [{ method: "saliency", target: { kind: "top1" }, classes }]);
  expect(tiles).toBeGreaterThan(2);
  const classified = await inTiles.classify(pixels, classes);
  expect(classified.target).toEqual(whole.target);
  for (const [index, logit] of whole.logits.entries()) {
    expect(classified.logits[index]).toBeCloseTo(logit, 5);
    expect(explained?.outcome.logits[index]).toBeCloseTo(logit, 5);
  }
});
