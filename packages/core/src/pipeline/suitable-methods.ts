import { SlidelightError } from "../errors/slidelight-error.ts";
import type { MethodName } from "../explain/methods/index.ts";
import { planExplanation } from "../explain/plan.ts";
import type { Size } from "../geometry/rectangle.ts";
import type { Model } from "../model/model.ts";
import { networkFor } from "../model/network.ts";

export interface UnsuitableMethod {
  readonly method: MethodName;
  readonly message: string;
}

/**
 * Which methods can explain the model, and why the others can't.
 * @throws {SlidelightError} `model-*` when the model can't be explained at all.
 */
export function suitableMethods(
  methods: readonly MethodName[],
  { model, classes, size }: { readonly model: Model; readonly classes: readonly string[]; readonly size: Size },
): { readonly suitable: readonly MethodName[]; readonly unsuitable: readonly UnsuitableMethod[] } {
  const network = networkFor(model, size, { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] });
  const suitable: MethodName[] = [];
  const unsuitable: UnsuitableMethod[] = [];
  for (const method of methods) {
    try {
      planExplanation(network, { method, target: { kind: "class", index: 0 }, classes });
      suitable.push(method);
    } catch (error) {
      if (!(error instanceof SlidelightError) || error.code !== "method-unsuitable") throw error;
      unsuitable.push({ method, message: error.message });
    }
  }
  return { suitable, unsuitable };
}
