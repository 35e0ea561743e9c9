// npm run demo:model: trains models/demo-unet.onnx on the tissue benchmark, some minutes on 2 cores. docs/benchmark.md tells how well it finds the evidence.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { call, main, root, say, setUp } from "./setup.mjs";

const model = join(root, "models", "demo-unet.onnx");
const report = join(root, "demo-out", "demo-unet.report.html");
const images = ["--count", "1200", "--seed", "1"];
/** The first seed: no other was tried with these options. */
const training = ["--classes", "normal,granular", "--mpp", "0.5", "--epochs", "12", "--seed", "1"];

await main(async () => {
  setUp();
  const folder = mkdtempSync(join(tmpdir(), "slidelight-demo-model-"));
  try {
    const trained = join(folder, "demo-unet.onnx");
    call(process.execPath, ["scripts/tissue.mjs", join(folder, "tissue"), ...images]);
    const args = ["train", join(folder, "tissue", "tissue.csv"), "--out", trained, ...training];
    call(process.execPath, ["apps/cli/bin/slidelight.js", ...args]);
    mkdirSync(join(root, "demo-out"), { recursive: true });
    copyFileSync(trained, model);
    copyFileSync(join(folder, "demo-unet.report.html"), report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  say(`${relative(root, model)} is written; how it was trained: ${relative(root, report)}`);
  return 0;
});
