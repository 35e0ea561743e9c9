import { methodNames, openEvaluation, SlidelightError, suitableMethods } from "@slidelight/core";
import type { Engine, Evaluation, Model, ProgramCache, Size, UnsuitableMethod } from "@slidelight/core";
import type { EvaluateConfig } from "./evaluate-config.ts";

export interface BegunEvaluation {
  readonly evaluation: Evaluation;
  readonly unsuitable: readonly UnsuitableMethod[];
}

/**
 * Opens the evaluation with the methods that suit the model, as an image of `size` shows.
 * @throws {SlidelightError} `method-unsuitable` when one that was asked for does not; `model-*`.
 */
export function beginEvaluation(
  size: Size,
  begun: {
    readonly config: EvaluateConfig;
    readonly engine: Engine;
    readonly programs: ProgramCache;
    readonly model: Model;
    readonly classes: readonly string[];
    readonly signal: AbortSignal;
  },
): BegunEvaluation {
  const { config, engine, programs, model, classes, signal } = begun;
  const { magnitude, target, steps, seed, randomise } = config;
  const { suitable, unsuitable } = suitableMethods(config.methods ?? methodNames, { model, classes, size });
  const [first, ...rest] = suitable;
  const [fault] = unsuitable;
  if (first === undefined || (config.methods !== undefined && fault !== undefined)) {
    throw new SlidelightError("method-unsuitable", fault?.message ?? "No method suits the model.");
  }
  const evaluation = openEvaluation(
    { methods: [first, ...rest], magnitude, classes, target, steps, randomised: randomise, seed },
    {
      engine,
      programs,
      model,
      mean: config.mean ?? model.mean ?? [0, 0, 0],
      std: config.std ?? model.std ?? [1, 1, 1],
      signal,
    },
  );
  return { evaluation, unsuitable };
}
