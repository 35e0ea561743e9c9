import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  explainImage,
  explainPixels,
  openEngine,
  openProgramCache,
  openSource,
  openStore,
  parseManifest,
} from "@slidelight/core";
import type { Engine, Model, Size } from "@slidelight/core";
import { renderTissue } from "@slidelight/synthesis";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { differenceOf, mapValues } from "./map-values.ts";
import { smallUNet } from "./small-unet.ts";

/** Why OpenVINO can't be tested on this machine. */
async function whatIsMissing(): Promise<string | undefined> {
  try {
    await using _ = await openEngine({ engine: "openvino" });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const missing = await whatIsMissing();
const mean = [0.5, 0.5, 0.5] as const;
const std = [0.2, 0.2, 0.2] as const;
/** No side is a multiple of the stride of 4; not both of an image's are prime multiples when they are extended to one, which would have programs of its own. */
const sizes = [
  { width: 333, height: 277 },
  { width: 259, height: 401 },
];

let folder = "";
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-any-size-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Found {
  readonly values: Float32Array;
  readonly logits: readonly number[];
  /** Of the result's map. */
  readonly file: Buffer;
}

function pixelsOf(size: Size): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(renderTissue({ x: 40, y: 90, ...size }, { seed: 3, atypical: 0.6 }).rgb);
}

async function explained(
  sizesInTurn: readonly Size[],
  model: Model,
  tile: number | undefined,
): Promise<readonly Found[]> {
  await using engine = await openEngine({ engine: "openvino", threads: 2 });
  await using programs = openProgramCache(engine);
  const found: Found[] = [];
  for (const size of sizesInTurn) {
    count += 1;
    const uri = join(folder, `${size.width}x${size.height}.png`);
    await sharp(pixelsOf(size), { raw: { ...size, channels: 3 } })
      .png()
      .toFile(uri);
    const [result] = await explainImage(
      { uri, key: `${count}`, open: () => openSource(uri) },
      {
        methods: ["grad-cam"],
        targets: ["2-0"],
        tissue: "off",
        mean,
        std,
        raw: "float32",
        ...(tile === undefined ? {} : { tile }),
      },
      { engine, programs, model, output: openStore(join(folder, "out")), scratch: join(folder, "scratch") },
    );
    if (result?.status !== "done") throw new Error(`There is no result: ${JSON.stringify(result)}`);
    const manifest = parseManifest(await readFile(join(result.output, "manifest.json")), result.output);
    found.push({
      values: await mapValues(result.output, size),
      logits: manifest.classes.map(({ logit }) => logit),
      file: await readFile(join(result.output, "map.tif")),
    });
  }
  return found;
}

/** In one piece, on the image as it is, in another engine. */
async function untiled(size: Size, model: Model, engine: Engine): Promise<Pick<Found, "values" | "logits">> {
  await using programs = openProgramCache(engine);
  const [found] = await explainPixels(
    { ...size, samples: "uint8", data: pixelsOf(size) },
    [{ method: "grad-cam", target: { kind: "difference", index: 2, other: 0 }, classes: ["0", "1", "2"] }],
    { engine, programs, model, mean, std },
  );
  if (found === undefined) throw new RangeError("There is no map.");
  return { values: found.map, logits: [...found.outcome.logits] };
}

test.skipIf(missing === undefined)(`OpenVINO is not here: ${missing}`, () => undefined);

describe.skipIf(missing !== undefined).each([
  ["in one piece", undefined],
  ["in tiles", 128],
] as const)("an engine with one program for all sizes, images %s", (_, tile) => {
  it("gives each the map and logits that ONNX Runtime computes of it, and the same bytes whichever came before", async () => {
    const model = smallUNet();
    const found = await explained(sizes, model, tile);
    const backwards = await explained(sizes.toReversed(), model, tile);
    await using engine = await openEngine({ engine: "onnxruntime", threads: 2 });
    for (const [index, size] of sizes.entries()) {
      const [here, there] = [found[index], backwards[sizes.length - 1 - index]];
      if (here === undefined || there === undefined) throw new RangeError("An image was not explained.");
      expect(Buffer.compare(here.file, there.file)).toBe(0);
      const whole = await untiled(size, model, engine);
      // The same operations in float32, in programs of their own.
      expect(differenceOf(whole.values, here.values, 1)).toBeLessThanOrEqual(1e-5);
      whole.logits.forEach((logit, of) => expect(here.logits[of]).toBeCloseTo(logit, 4));
    }
  });
});
