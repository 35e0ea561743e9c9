import { attempt } from "../errors/attempt.ts";
import type { SlidelightError } from "../errors/slidelight-error.ts";
import { classNames } from "../explain/classes.ts";
import type { MethodName } from "../explain/methods/index.ts";
import { planExplanation } from "../explain/plan.ts";
import { restrictionOf } from "../explain/restrict-sweep.ts";
import { parseTarget } from "../explain/target.ts";
import type { Model } from "../model/model.ts";
import { networkFor } from "../model/network.ts";
import type { ExplanationSettings } from "./settings.ts";

/** Why a method and target can't be explained. */
export interface FaultOfModel {
  readonly method: MethodName;
  /** As the user gave it. */
  readonly target: string;
  readonly error: SlidelightError;
}

/** Nothing is computed, so that a large image costs no more than a small one, which may have faults of its own. */
const size = { width: 1024, height: 1024 };

/** What is wrong with a model, or with what is asked of it, whatever the image: found by planning without one. */
export function faultsOfModel(
  model: Model,
  { methods, targets, layer }: Pick<ExplanationSettings, "methods" | "targets" | "layer">,
): readonly FaultOfModel[] {
  const runs = methods.flatMap((method) => targets.map((target) => ({ method, target })));
  const network = attempt(() => networkFor(model, size, { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] }));
  if (network instanceof Error) return runs.map((run) => ({ ...run, error: network }));
  const classes = classNames(network.head.classes, model.classes);
  return runs.flatMap(({ method, target }) => {
    const fault = attempt(() => {
      const common = { method, classes, ...(layer === undefined ? {} : { layer }) };
      const { sweeps } = planExplanation(network, { ...common, target: parseTarget(target, classes) });
      sweeps.forEach(restrictionOf);
    });
    return fault === undefined ? [] : [{ method, target, error: fault }];
  });
}
