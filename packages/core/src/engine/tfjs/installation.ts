import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Provider } from "./protocol.ts";

/** Of TensorFlow.js: its last, with which `npm run setup:tfjs` builds the binding of libtensorflow. */
const release = "4.22.0";

const folders = { cpu: `tfjs-${release}`, gpu: `tfjs-gpu-${release}` } as const;

export const advice: { readonly [P in Provider]: string } = {
  gpu: "Run `npm run setup:tfjs -- --gpu` on a machine with an NVIDIA GPU and its driver, or use the provider cpu or wasm.",
  cpu: "Run `npm run setup:tfjs`, or use the provider wasm.",
  wasm: "The npm packages @tensorflow/tfjs-core and @tensorflow/tfjs-backend-wasm have it: npm ci.",
};

/** Where `npm run setup:tfjs` builds TensorFlow.js with its binding. */
export function installationFolder(provider: "cpu" | "gpu"): string {
  return join(homedir(), ".cache", "slidelight", folders[provider]);
}

/** Whether there is something to try: wasm comes with the npm packages. */
export function isInstalled(provider: Provider): boolean {
  return provider === "wasm" || existsSync(installationFolder(provider));
}
