import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainImage, openEngine, openProgramCache, openSource, openStore, parseManifest } from "@slidelight/core";
import type { Engine, ExplanationSettings, Manifest } from "@slidelight/core";
import { renderTissue } from "@slidelight/synthesis";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { smallUNet } from "./small-unet.ts";

/** So large that glass is left out. */
const side = 8050;
/** Blocks of 1024 px: the tissue lies in four of them, and fills none. */
const tissue = { x: 2600, y: 1500, width: 1000, height: 900 };

let folder = "";
let engine: Engine;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-glass-"));
  engine = await openEngine({ engine: "onnxruntime", threads: 2 });
  const { rgb } = renderTissue(tissue, { seed: 3, atypical: 0.6 });
  const { width, height } = tissue;
  await sharp({ create: { width: side, height: side, channels: 3, background: { r: 243, g: 242, b: 243 } } })
    .composite([{ input: Buffer.from(rgb.buffer), raw: { width, height, channels: 3 }, left: tissue.x, top: tissue.y }])
    .tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: "deflate", pyramid: true })
    .toFile(join(folder, "slide.tif"));
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The four blocks, and some of what lies around them. */
const shown = { left: 1536, top: 512, width: 3072, height: 3072 };
const blocks = { x: 2048, y: 1024, width: 2048, height: 2048 };

interface Found {
  readonly manifest: Manifest;
  /** Bytes of what is shown. */
  readonly map: Buffer;
}

let places = 0;
async function explained(tile: number, changes: Partial<Engine> = {}): Promise<readonly Found[]> {
  places += 1;
  const own = { ...engine, ...changes };
  await using programs = openProgramCache(own);
  const uri = join(folder, "slide.tif");
  const asked: ExplanationSettings = { methods: ["saliency"], targets: ["2-0"], tissue: "auto", tile };
  const results = await explainImage({ uri, key: "slide.tif", open: () => openSource(uri) }, asked, {
    engine: own,
    programs,
    // A pool of which both the maximum and the sum over all that is kept count.
    model: smallUNet({ depth: 1, baseChannels: 2, pool: { kind: "log-sum-exp", sharpness: 4 } }),
    output: openStore(join(folder, `out-${places}`)),
    scratch: join(folder, "scratch"),
  });
  return Promise.all(
    results.map(async (result) => {
      if (result.status === "failed") throw result.error;
      const manifest = parseManifest(await readFile(join(result.output, "manifest.json")), result.output);
      const whole = sharp(join(result.output, "map.tif"), { limitInputPixels: false });
      return { manifest, map: await whole.extract(shown).toColourspace("b-w").raw().toBuffer() };
    }),
  );
}

/** A ReLU at zero or a tie of two maxima falls to either side in float32. */
const ties = 50;
/**
 * A tile's samples are 1/65,535 of its own range apart, and a byte's borders are 257 such steps apart: where tiles differ, so do their ranges, and one value in 257
 * of either map may fall to the other side of a border.
 */
const atBorders = 2 / 257;

it("what is left out of a slide as glass does not depend on its tiles", async () => {
  const reference = await explained(1024);
  // Tiles which cut blocks, hold several, and overlap each other; those which do not overlap have their law in float64.
  const others = await explained(1400, { alikeTiles: true });
  for (const [index, { manifest, map }] of reference.entries()) {
    expect(manifest.exactReasons).toContain("pooled over the parts of the image that show tissue");
    const background = map[0] ?? 0;
    expect(map.some((byte) => byte !== background)).toBe(true);
    const other = others[index];
    if (other === undefined) throw new Error("Each has as many runs.");
    expect(other.manifest.runId).toBe(manifest.runId);
    expect(other.manifest.tiles.width).not.toBe(manifest.tiles.width);
    manifest.classes.forEach(({ logit }, at) => expect(other.manifest.classes[at]?.logit).toBeCloseTo(logit, 4));
    const off = { byOne: 0, byMore: 0, beside: 0 };
    for (let at = 0; at < map.length; at += 1) {
      const [byte = 0, otherByte = 0] = [map[at], other.map[at]];
      if (byte === background && otherByte === background) continue;
      const x = shown.left + (at % shown.width) - blocks.x;
      const y = shown.top + Math.floor(at / shown.width) - blocks.y;
      if (x < 0 || x >= blocks.width || y < 0 || y >= blocks.height) off.beside += 1;
      const difference = Math.abs(byte - otherByte);
      if (difference === 1) off.byOne += 1;
      if (difference > 1) off.byMore += 1;
    }
    expect(off.beside).toBe(0);
    expect(off.byOne).toBeLessThan(atBorders * blocks.width * blocks.height);
    expect(off.byMore).toBeLessThan(ties);
  }
});
