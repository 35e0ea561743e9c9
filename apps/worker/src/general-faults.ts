import { faultsOfModel } from "@slidelight/core";
import type { ErrorCode, ExplanationSettings, FaultOfModel, Model, SlidelightError } from "@slidelight/core";

/** Faults that may be the model's, or one image's alone: of a size that it does not take, say. */
const ofModelOrImage: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "model-operator",
  "model-input",
  "model-no-pool",
  "model-not-local",
  "method-unsuitable",
  "layer-unknown",
  "target-unknown",
]);

/**
 * Whether every further image would meet a fault in the same way: it is told once, and of none of them. Of a method and
 * target where they are given, else of all that was asked for.
 */
export type IsGeneral = (error: SlidelightError, run?: Pick<FaultOfModel, "method" | "target">) => boolean;

/** The model is looked at without an image, at the first fault that may be its own. */
export function generalFaults(model: Model, settings: ExplanationSettings): IsGeneral {
  let known: readonly FaultOfModel[] | undefined;
  const asked = settings.methods.flatMap((method) => settings.targets.map((target) => ({ method, target })));
  return ({ code }, run) => {
    if (code === "engine-unavailable") return true;
    if (!ofModelOrImage.has(code)) return false;
    known ??= faultsOfModel(model, settings);
    const faults = known.filter(({ error }) => error.code === code);
    return (run === undefined ? asked : [run]).every(({ method, target }) =>
      faults.some((fault) => fault.method === method && fault.target === target),
    );
  };
}
