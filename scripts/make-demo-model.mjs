// Writes models/demo-unet.onnx: an untrained U-Net, until one that was trained on the tissue benchmark replaces it.
// Usage: npm run build && node scripts/make-demo-model.mjs
import { mkdir, writeFile } from "node:fs/promises";
import { encodeOnnx, unetGraph, unetParameters } from "@slidelight/core";

const settings = {
  depth: 3,
  baseChannels: 8,
  classes: 2,
  pool: { kind: "generalised-mean", power: 3 },
  pooled: "features",
  upsampling: "transposed",
  seed: 3,
};
// Any multiple of 2^depth: the spatial axes are written as free ones.
const graph = unetGraph(settings, unetParameters(settings), { width: 256, height: 256 });
const bytes = encodeOnnx(graph, {
  dynamicAxes: true,
  metadata: {
    "slidelight.classes": JSON.stringify(["normal", "atypical"]),
    "slidelight.mean": "0.5,0.5,0.5",
    "slidelight.std": "0.25,0.25,0.25",
    "slidelight.mpp": "0.5",
    "slidelight.description": "untrained U-Net (random weights): its maps show the machinery, not evidence",
  },
});
await mkdir(new URL("../models/", import.meta.url), { recursive: true });
await writeFile(new URL("../models/demo-unet.onnx", import.meta.url), bytes);
process.stderr.write(`models/demo-unet.onnx: ${bytes.length} bytes\n`);
