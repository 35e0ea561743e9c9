import type { EvaluationResult, ExplainedTarget, UnsuitableMethod } from "@slidelight/core";
import { scoreColumns } from "./evaluation-scores.ts";

/** What a report tells beside the scores. */
export interface EvaluationFacts {
  readonly model: string;
  readonly sha256: string;
  readonly table: string;
  readonly classes: readonly string[];
  readonly target: ExplainedTarget;
  readonly skipped: readonly { readonly image: string; readonly code: string; readonly message: string }[];
  readonly unsuitable: readonly UnsuitableMethod[];
  /** For people: name and value. */
  readonly settings: readonly (readonly [string, string])[];
}

/** What `--json` prints and evaluation.json holds: null for what was not measured. */
export function evaluationDocument(result: EvaluationResult, facts: EvaluationFacts): unknown {
  const { images, accuracy, area, confusion, constantMap, methods } = result;
  const number = (score: number): number | null => (Number.isNaN(score) ? null : score);
  return {
    schemaVersion: 1,
    model: { uri: facts.model, sha256: facts.sha256 },
    table: facts.table,
    classes: facts.classes,
    target: facts.target,
    settings: Object.fromEntries(facts.settings),
    images,
    accuracy: number(accuracy),
    auc: number(area),
    confusion,
    constantMap: Object.fromEntries(
      scoreColumns.flatMap(({ key, constant }) =>
        constant === undefined ? [] : [[key, number(constant(constantMap))] as const],
      ),
    ),
    methods: methods.map((method) => ({
      method: method.method,
      reading: method.reading,
      ...Object.fromEntries(scoreColumns.map(({ key, of }) => [key, number(of(method))])),
      randomisations: method.randomised.map(({ share, correlation, constant }) => {
        return { share, correlation: number(correlation), constant };
      }),
    })),
    unsuitable: facts.unsuitable,
    skipped: facts.skipped,
  };
}
