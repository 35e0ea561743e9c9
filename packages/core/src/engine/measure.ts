import { scalarLike } from "../graph/build.ts";
import { backpropagate, expandTo } from "../graph/gradient.ts";
import { graphOf } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import { optimise } from "../graph/optimise.ts";
import { evaluate } from "../graph/reference.ts";
import { elementsOf, float32, sizeOf } from "../graph/tensor.ts";
import { normals } from "../model/random.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import type { UNetSettings } from "../model/unet.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { Engine, Precision } from "./engine.ts";

/** The network of every measurement: the base-16 depth-4 U-Net, 107 GFLOP a megapixel. */
const measured: UNetSettings = { ...defaultUNet, depth: 4, baseChannels: 16, pool: { kind: "mean" } };
/** Small enough for the float64 reference, with every kind of layer of a U-Net, and the pool whose gradient is hardest. */
const checked: UNetSettings = {
  ...defaultUNet,
  depth: 2,
  baseChannels: 4,
  pool: { kind: "log-sum-exp", sharpness: 4 },
  pooled: "scores",
  upsampling: "nearest",
};
/** A larger one tells nothing more, and the reference takes longer than the engine: a tenth of a second of every start at 32. */
const checkedSide = 16;

/**
 * Between what float32 rounds (3e-6 was measured with two engines, on this network with its gradient) and what the 10-bit
 * factors of TensorFloat-32 do (7e-3, in the reference with its convolutions' operands rounded so).
 */
export const exactError = 1e-4;

/**
 * Largest error of a small U-Net and of its gradient to the image in the engine, against the float64 reference: of each
 * over its own largest value.
 */
export async function errorOf(engine: Engine, options: Abortable = {}): Promise<number> {
  const size = { width: checkedSide, height: checkedSide };
  const forward = unetGraph(checked, unetParameters(checked), size);
  const [image] = forward.inputs;
  const [scores] = Object.values(forward.outputs);
  if (image === undefined || scores === undefined) throw new RangeError("A U-Net has an input and scores.");
  const [gradient] = backpropagate(new Map([[scores, scalarLike(scores, 1)]]), [image]);
  if (gradient === undefined) throw new RangeError("Scores depend on the image.");
  const graph = graphOf({ scores, gradient: expandTo(gradient, image.shape) });
  const { name, shape } = image;
  const values = noise(shape);
  const expected = evaluate(graph, { [name]: { shape, data: Float64Array.from(values) } });
  await using program = await engine.compile(suitedTo(engine, graph), { label: "self-check", ...options });
  const { outputs } = await program.run({ [name]: float32(shape, values) }, options);
  const errors = Object.entries(expected).map(([output, { data }]) => {
    const given = outputs[output];
    const got = given === undefined ? new Float64Array() : elementsOf(given);
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = data.reduce((most, value, at) => Math.max(most, Math.abs(value - (got[at] ?? Number.NaN))), 0);
    return worst / largest;
  });
  return errors.reduce((most, error) => Math.max(most, error), 0);
}

export interface SpeedOptions extends Abortable {
  readonly precision?: Precision;
  /** Of the square that is computed, in pixels. */
  readonly side: number;
  /** Runs that are timed, after one that is not; fewer where they take long, which then differ little. */
  readonly runs: number;
}

/** What is timed of an engine at most, but for its last run. */
const enoughSeconds = 1;

/** Megapixels a second of a forward pass of the base-16 depth-4 U-Net: the median of the runs. */
export async function speedOf(engine: Engine, { side, runs, signal, precision }: SpeedOptions): Promise<number> {
  const graph = unetGraph(measured, unetParameters(measured), { width: side, height: side });
  const [image] = graph.inputs;
  if (image === undefined) throw new RangeError("A U-Net has an input.");
  await using program = await engine.compile(suitedTo(engine, graph), {
    label: "speed",
    frequent: true,
    signal,
    ...(precision === undefined ? {} : { precision }),
  });
  const values = noise(image.shape);
  const time = async (): Promise<number> => {
    // The engine takes over what it is given.
    const given = { [image.name]: float32(image.shape, values.slice()) };
    const started = performance.now();
    await program.run(given, { signal });
    return (performance.now() - started) / 1000;
  };
  await time();
  const seconds: number[] = [];
  for (let spent = 0; seconds.length < runs && spent < enoughSeconds; ) {
    const taken = await time();
    seconds.push(taken);
    spent += taken;
  }
  const median = seconds.toSorted((a, b) => a - b)[seconds.length >> 1] ?? Number.NaN;
  return (side * side) / 1e6 / median;
}

/** As the graphs of tiles are. */
function suitedTo({ composition }: Engine, graph: Graph): Graph {
  return optimise(graph, { composition });
}

function noise(shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: sizeOf(shape) }, normals(1));
}
