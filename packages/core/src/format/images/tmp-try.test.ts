import { it } from "vitest";
import { readdirSync } from "node:fs";
import sharp from "sharp";
import { openFileSource } from "../../io/file-source.ts";
import { openImage } from "./open-image.ts";
import { levelIndex } from "../../geometry/units.ts";
it("x", async () => {
  const d = "../shared/data/";
  for (const f of [...readdirSync(d + "odd-files").map((n) => "odd-files/" + n), ...readdirSync(d + "slides").map((n) => "slides/" + n)]) {
    try {
      await using i = await openImage(f, await openFileSource(d + f));
      const { width, height } = i.levels[0];
      let p = await i.read(levelIndex(0), { x: 0, y: 0, width, height });
      const r = await sharp(d + f, { ignoreIcc: true }).autoOrient().flatten({ background: "#fff" }).toColourspace(p.samples === "uint16" ? "rgb16" : "srgb").raw({ depth: p.samples === "uint16" ? "ushort" : "uchar" }).toBuffer();
      const v = p.samples === "uint16" ? new Uint16Array(Uint8Array.from(r).buffer) : r;
      let m = 0; for (let k = 0; k < v.length; k++) m = Math.max(m, Math.abs(v[k]! - p.data[k]!));
      console.log(f, i.format, i.samples, JSON.stringify(i.levels), i.micronsPerPixel, "maxdiff", m, v.length === p.data.length);
      if (f.includes("cmu")) {
        for (let rep = 0; rep < 2; rep++) { await using j = await openImage(f, await openFileSource(d + f));
        const t = performance.now(); let px = 0;
        for (const [x, y] of [[0, 0], [1000, 0], [0, 1216], [1000, 1216], [500,1700]]) { await j.read(levelIndex(0), { x: x!, y: y!, width: 1216, height: 1216 }); px += 1216 * 1216; }
        console.log("MP/s", px / 1000 / (performance.now() - t)); }
        for (let rep = 0; rep < 3; rep++) { await using j = await openImage(f, await openFileSource(d + f));
        const t = performance.now(); await j.read(levelIndex(0), { x: 500, y: 700, width: 1216, height: 1216 });
        console.log("cold MP/s", 1216*1216 / 1000 / (performance.now() - t)); }
      }
    } catch (e) { console.log(f, (e as any).code, (e as Error).message); }
  }
});
