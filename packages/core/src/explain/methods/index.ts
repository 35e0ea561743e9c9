import type { Method } from "../method.ts";
import { cam } from "./cam.ts";
import { gradCam } from "./grad-cam.ts";
import { hiresCam } from "./hires-cam.ts";
import { inputXGradient } from "./input-x-gradient.ts";
import { layerCam } from "./layer-cam.ts";
import { saliency } from "./saliency.ts";

/** Every explanation method. A new one is a file beside these and a line here. */
export const methods = {
  cam,
  "grad-cam": gradCam,
  "hires-cam": hiresCam,
  "layer-cam": layerCam,
  saliency,
  "input-x-gradient": inputXGradient,
} as const satisfies Readonly<Record<string, Method>>;

export type MethodName = keyof typeof methods;

export const methodNames: readonly MethodName[] = [
  "cam",
  "grad-cam",
  "hires-cam",
  "layer-cam",
  "saliency",
  "input-x-gradient",
];
