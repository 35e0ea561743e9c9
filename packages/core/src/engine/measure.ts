import { graphOf } from "../graph/graph.ts";
import { evaluate } from "../graph/reference.ts";
import { elementsOf, float32, sizeOf } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import { normals } from "../model/random.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import type { UNetSettings } from "../model/unet.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { Engine, Precision } from "./engine.ts";

/** The network of every measurement: the base-16 depth-4 U-Net, 107 GFLOP a megapixel. */
const measured: UNetSettings = { ...defaultUNet, depth: 4, baseChannels: 16, pool: { kind: "mean" } };
/** Small enough for the float64 reference, with every kind of layer of a U-Net. */
const checked: UNetSettings = { ...defaultUNet, depth: 2, baseChannels: 4, pool: { kind: "mean" } };
const checkedSide = 32;

/**
 * Rounding of float32 (2^-24) over the longest sums of the network that is checked (16 channels x 9 weights) and its 11
 * layers stays below this share of the largest value; the 10-bit products of TensorFloat-32 do not.
 */
export const exactError = 1e-5;

/** Largest error of a small U-Net in the engine against the float64 reference, over the reference's largest value. */
export async function errorOf(engine: Engine, options: Abortable = {}): Promise<number> {
  const size = { width: checkedSide, height: checkedSide };
  const graph = graphOf({ ...unetGraph(checked, unetParameters(checked), size).outputs });
  const [image] = graph.inputs;
  if (image === undefined) throw new RangeError("A U-Net has an input.");
  const { name, shape } = image;
  const values = noise(shape);
  const expected = evaluate(graph, { [name]: { shape, data: elementsOf(values) } });
  await using program = await engine.compile(graph, { label: "self-check", ...options });
  const { outputs } = await program.run({ [name]: values }, options);
  let [worst, largest] = [0, 0];
  for (const [output, { data }] of Object.entries(expected)) {
    const given = outputs[output];
    const got = given === undefined ? new Float64Array() : elementsOf(given);
    data.forEach((value, index) => {
      worst = Math.max(worst, Math.abs(value - (got[index] ?? Number.NaN)));
      largest = Math.max(largest, Math.abs(value));
    });
  }
  return worst / largest;
}

export interface SpeedOptions extends Abortable {
  readonly precision?: Precision;
  /** Of the square that is computed, in pixels. */
  readonly side: number;
  /** Runs that are timed, after one that is not. */
  readonly runs: number;
}

/** Megapixels a second of a forward pass of the base-16 depth-4 U-Net: the median of the runs. */
export async function speedOf(engine: Engine, { side, runs, signal, precision }: SpeedOptions): Promise<number> {
  const graph = unetGraph(measured, unetParameters(measured), { width: side, height: side });
  const [image] = graph.inputs;
  if (image === undefined) throw new RangeError("A U-Net has an input.");
  await using program = await engine.compile(graph, {
    label: "speed",
    frequent: true,
    signal,
    ...(precision === undefined ? {} : { precision }),
  });
  const seconds: number[] = [];
  for (let run = 0; run <= runs; run += 1) {
    const values = noise(image.shape);
    const started = performance.now();
    await program.run({ [image.name]: values }, { signal });
    if (run > 0) seconds.push((performance.now() - started) / 1000);
  }
  const median = seconds.toSorted((a, b) => a - b)[seconds.length >> 1] ?? Number.NaN;
  return (side * side) / 1e6 / median;
}

function noise(shape: readonly number[]): Tensor {
  const random = normals(1);
  return float32(shape, Float32Array.from({ length: sizeOf(shape) }, random));
}
