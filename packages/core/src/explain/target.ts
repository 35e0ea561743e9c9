import { SlidelightError } from "../errors/slidelight-error.ts";

/** What is explained: a logit, the difference of two, or (`contrast`) a logit less the mean of all others; of a class or the top one. */
export type Target =
  | { readonly kind: "top1" }
  | { readonly kind: "top1-contrast" }
  | { readonly kind: "class"; readonly index: number }
  | { readonly kind: "contrast"; readonly index: number }
  | { readonly kind: "difference"; readonly index: number; readonly other: number };

/** What stands for all other classes after the minus sign, unless a class has this name. */
const others = "others";

/** Whether what is explained is known only once the class scores are. */
export function dependsOnScores({ kind }: Target): boolean {
  return kind === "top1" || kind === "top1-contrast";
}

/** A target that names its class. */
export type NamedTarget = Exclude<Target, { readonly kind: "top1" | "top1-contrast" }>;

/** What a target that depends on the scores is once the top class is known; others as they are. */
export function targetForTop(target: Target, index: number): NamedTarget {
  if (target.kind === "top1") return { kind: "class", index };
  return target.kind === "top1-contrast" ? { kind: "contrast", index } : target;
}

/**
 * Reads `top1`, a class by index or name, `a-b` for a difference, or `a-others` and `top1-others` for a contrast. Class names may hold hyphens: the
 * whole text is tried as a class first, then every hyphen as the minus sign.
 * @throws {SlidelightError} `target-unknown` listing the classes.
 */
export function parseTarget(text: string, classes: readonly string[]): Target {
  if (text === "top1") return { kind: "top1" };
  const whole = classIndex(text, classes);
  if (whole !== undefined) return { kind: "class", index: whole };
  if (text === `top1-${others}` && classes.length > 1) return { kind: "top1-contrast" };
  for (let hyphen = text.indexOf("-"); hyphen >= 0; hyphen = text.indexOf("-", hyphen + 1)) {
    const index = classIndex(text.slice(0, hyphen), classes);
    const after = text.slice(hyphen + 1);
    const other = classIndex(after, classes);
    if (index === undefined || index === other) continue;
    if (other !== undefined) return { kind: "difference", index, other };
    if (after.trim() === others && classes.length > 1) return { kind: "contrast", index };
  }
  throw new SlidelightError(
    "target-unknown",
    `Choosing the target "${text}": expected top1, a class, a difference of two classes as a-b, or a class against all others as a-others or top1-others; the model's classes are ${listClasses(classes)}.`,
    { detail: { target: text } },
  );
}

function classIndex(text: string, classes: readonly string[]): number | undefined {
  const trimmed = text.trim();
  const named = classes.indexOf(trimmed);
  if (named >= 0) return named;
  if (!/^\d+$/.test(trimmed)) return undefined;
  const index = Number(trimmed);
  return index < classes.length ? index : undefined;
}

function listClasses(classes: readonly string[]): string {
  const shown = classes.slice(0, 12).map((name, index) => (name === String(index) ? name : `${index} ("${name}")`));
  return classes.length > shown.length ? `${shown.join(", ")}, … (${classes.length} in all)` : shown.join(", ");
}

/** A target once the logits are known: the derivative of the explained value by each logit. */
export interface ResolvedTarget {
  /** A class name, `a-b`, or `a-others`. */
  readonly label: string;
  readonly cotangent: Float64Array;
  /** Of the class whose logit is explained (of the first one in a difference). */
  readonly index: number;
}

export function resolveTarget(target: Target, logits: ArrayLike<number>, classes: readonly string[]): ResolvedTarget {
  const known = targetForTop(target, firstMaximum(logits));
  const { index } = known;
  const name = classes[index] ?? String(index);
  const cotangent = new Float64Array(logits.length);
  if (known.kind === "contrast") {
    cotangent.fill(-1 / (logits.length - 1));
    cotangent[index] = 1;
    return { label: `${name}-${others}`, cotangent, index };
  }
  cotangent[index] = 1;
  if (known.kind === "class") return { label: name, cotangent, index };
  cotangent[known.other] = -1;
  return { label: `${name}-${classes[known.other] ?? known.other}`, cotangent, index };
}

function firstMaximum(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index += 1) if ((values[index] ?? 0) > (values[best] ?? 0)) best = index;
  return best;
}
