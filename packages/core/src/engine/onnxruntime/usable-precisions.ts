import { SlidelightError } from "../../errors/slidelight-error.ts";
import { constant, conv, input } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import { float32 } from "../../graph/tensor.ts";
import type { Abortable } from "../../io/byte-source.ts";
import type { Engine, Precision } from "../engine.ts";

/** Those of an engine's precisions that its device has: a convolution is tried in each below float32. Not every GPU has float16. */
export async function usablePrecisions(engine: Engine, { signal }: Abortable): Promise<readonly Precision[]> {
  const usable: Precision[] = [];
  for (const precision of engine.precisions) {
    if (precision === "float32" || (await convolves(engine, precision, { signal }))) usable.push(precision);
  }
  return usable;
}

async function convolves(engine: Engine, precision: Precision, { signal }: Abortable): Promise<boolean> {
  const x = input("x", { type: "float32", shape: [1, 2, 4, 4] });
  const weight = constant(float32([2, 2, 3, 3], new Float32Array(36).fill(0.5)));
  try {
    const label = `a convolution in ${precision}`;
    const program = await engine.compile(graphOf({ y: conv(x, weight) }), { label, precision, signal });
    try {
      await program.run({ x: float32(x.shape, new Float32Array(32).fill(1)) }, { signal });
      return true;
    } finally {
      await program[Symbol.asyncDispose]();
    }
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof SlidelightError)) throw error;
    return false;
  }
}
