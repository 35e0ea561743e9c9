import { float32 } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Parameters } from "../model/unet.ts";
import { numbersOf } from "./parameters.ts";

export interface OptimiserSettings {
  /**
   * Where weight decay acts: on the gradient (`adam`: Kingma and Ba 2015, with an L2 penalty), or on the parameter itself (`adamw`:
   * Loshchilov and Hutter 2019).
   */
  readonly kind: "adam" | "adamw";
  /** Of filters and linear layers. Biases, scales, shifts and a learnt power have none. */
  readonly weightDecay: number;
}

/** Decay of the running means of the gradient and of its square, and what keeps their ratio finite: PyTorch's defaults. */
const firstDecay = 0.9;
const secondDecay = 0.999;
const epsilon = 1e-8;

/** Running means of each parameter's gradient and of its square, after so many steps. */
export interface Moments {
  readonly steps: number;
  readonly first: Parameters;
  readonly second: Parameters;
}

export function initialMoments(parameters: Parameters): Moments {
  const zeros = (): Parameters =>
    Object.fromEntries(
      Object.entries(parameters).map(([name, { shape, data }]) => [
        name,
        float32(shape, new Float32Array(data.length)),
      ]),
    );
  return { steps: 0, first: zeros(), second: zeros() };
}

export interface OptimiserStep {
  readonly parameters: Parameters;
  /** By the parameter's name. */
  readonly gradients: Parameters;
  readonly moments: Moments;
  /** Learning rate. */
  readonly rate: number;
}

/** One step of Adam or AdamW; computed in float64, kept in float32. */
export function optimiserStep(
  settings: OptimiserSettings,
  { parameters, gradients, moments, rate }: OptimiserStep,
): { readonly parameters: Parameters; readonly moments: Moments } {
  const steps = moments.steps + 1;
  // The bias of the second moment, whose root divides every root of it, taken out of the loop.
  const deviation = Math.sqrt(1 - secondDecay ** steps);
  const stride = (rate / (1 - firstDecay ** steps)) * deviation;
  const floor = epsilon * deviation;
  const next: Record<string, Tensor> = {};
  const first: Record<string, Tensor> = {};
  const second: Record<string, Tensor> = {};
  for (const [name, { shape }] of Object.entries(parameters)) {
    const values = numbersOf(parameters, name);
    const slopes = numbersOf(gradients, name);
    const oldFirst = numbersOf(moments.first, name);
    const oldSecond = numbersOf(moments.second, name);
    const decay = name.endsWith(".weight") ? settings.weightDecay : 0;
    const penalty = settings.kind === "adam" ? decay : 0;
    const shrinking = settings.kind === "adamw" ? 1 - rate * decay : 1;
    const value = new Float32Array(values.length);
    const mean = new Float32Array(values.length);
    const square = new Float32Array(values.length);
    for (let index = 0; index < values.length; index += 1) {
      const old = values[index] ?? 0;
      const slope = (slopes[index] ?? 0) + penalty * old;
      const m = firstDecay * (oldFirst[index] ?? 0) + (1 - firstDecay) * slope;
      const v = secondDecay * (oldSecond[index] ?? 0) + (1 - secondDecay) * slope * slope;
      mean[index] = m;
      square[index] = v;
      value[index] = old * shrinking - (stride * m) / (Math.sqrt(v) + floor);
    }
    next[name] = float32(shape, value);
    first[name] = float32(shape, mean);
    second[name] = float32(shape, square);
  }
  return { parameters: next, moments: { steps, first, second } };
}
