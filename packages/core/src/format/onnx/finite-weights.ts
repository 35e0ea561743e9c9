import { SlidelightError } from "../../errors/slidelight-error.ts";
import { remembered } from "../../graph/remembered.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { subjectOf } from "./operator-call.ts";
import type { OperatorCall } from "./operator-call.ts";

/** No engine fails at such a value: some carry it through to the map, others lose it in the next maximum and give a map that looks right. */
const advice =
  "No map of such a model means anything: its training has diverged, or the file is damaged. Export a model whose weights are all finite (in PyTorch: torch.isfinite(tensor).all() of each).";

/**
 * @param subject The constant, in messages.
 * @throws {SlidelightError} `model-unreadable` where a value is NaN, which no model needs. Infinite ones may have their
 * use: as a bound of a Clip, what is padded with, a mask.
 */
export function expectNumbers(tensor: Tensor, subject: string): void {
  const first = firstNotFinite(tensor);
  if (first === undefined) return;
  const at = tensor.data.findIndex((value: number | bigint) => Number.isNaN(value));
  if (at >= 0) throw notFinite(tensor, { subject, expected: "numbers", at });
}

/** Operators that multiply by their constants: by an infinite one, every value becomes infinite or NaN. */
const multiplying: ReadonlySet<string> = new Set([
  "BatchNormalization",
  "Conv",
  "ConvTranspose",
  "Gemm",
  "InstanceNormalization",
  "MatMul",
  "Mul",
  "PRelu",
]);

/** @throws {SlidelightError} `model-unreadable` for an operator that multiplies, where one of its constants is not finite. */
export function expectFiniteWeights(call: OperatorCall): void {
  if (!multiplying.has(call.operator)) return;
  for (const value of call.inputs) {
    if (value?.op !== "Constant") continue;
    const { tensor } = value.attributes;
    const at = firstNotFinite(tensor);
    if (at === undefined) continue;
    const named = value.name === "" ? "a constant" : `the constant "${value.name}"`;
    throw notFinite(tensor, { subject: `${subjectOf(call)}: ${named}`, expected: "finite weights", at });
  }
}

function notFinite(
  { data, shape }: Tensor,
  { subject, expected, at }: { readonly subject: string; readonly expected: string; readonly at: number },
): SlidelightError {
  const got = String(data[at]);
  return new SlidelightError(
    "model-unreadable",
    `${subject} has a value that can't be computed with: expected ${expected}, got ${got} at position ${at} of the shape [${shape.join(", ")}]. ${advice}`,
    { detail: { value: got, position: at } },
  );
}

/** Where the first value lies that is infinite or no number. Looked for once: a model is read anew for each size of image. */
const firstNotFinite: (tensor: Tensor) => number | undefined = remembered((tensor) => {
  if (tensor.type !== "float32" && tensor.type !== "float64") return undefined;
  const { data } = tensor;
  // No iterator: weights are tens of millions.
  for (let index = 0; index < data.length; index += 1) if (!Number.isFinite(data[index])) return index;
  return undefined;
});
