import { describe, expect, it } from "vitest";
import { float32 } from "../graph/tensor.ts";
import { initialMoments, optimiserStep } from "./optimiser.ts";
import type { OptimiserSettings } from "./optimiser.ts";
import { mapShareAt, rateAt } from "./schedule.ts";

/** Parameters `a.weight` and `a.bias` after some steps with the gradients 1 and -2. */
function after(steps: number, settings: OptimiserSettings): readonly number[] {
  let parameters = { "a.weight": float32([1], [3]), "a.bias": float32([1], [3]) };
  let moments = initialMoments(parameters);
  for (let step = 0; step < steps; step += 1) {
    const gradients = { "a.weight": float32([1], [1]), "a.bias": float32([1], [-2]) };
    const next = optimiserStep(settings, { parameters, gradients, moments, rate: 0.1 });
    parameters = { ...parameters, ...next.parameters };
    moments = next.moments;
  }
  return [...parameters["a.weight"].data, ...parameters["a.bias"].data].map(Number);
}

describe("a step of the optimiser", () => {
  it("is the rate against the sign of a gradient that stays the same", () => {
    const [weight, bias] = after(3, { kind: "adam", weightDecay: 0 });
    expect(weight).toBeCloseTo(3 - 0.3, 5);
    expect(bias).toBeCloseTo(3 + 0.3, 5);
  });

  it("shrinks weights, and no biases, apart from the gradient with AdamW", () => {
    const [weight, bias] = after(1, { kind: "adamw", weightDecay: 0.5 });
    expect(weight).toBeCloseTo(3 * (1 - 0.05) - 0.1, 5);
    expect(bias).toBeCloseTo(3.1, 5);
  });

  it("adds the decay to the gradient with Adam, which its size then tells nothing of", () => {
    expect(after(1, { kind: "adam", weightDecay: 0.5 })[0]).toBeCloseTo(2.9, 5);
  });
});

describe("the share of the losses on the map", () => {
  it("rises from nothing to all, or is all from the first step", () => {
    expect([0, 1, 2, 3, 4, 5].map((step) => mapShareAt(step, 4))).toEqual([0, 0.25, 0.5, 0.75, 1, 1]);
    expect(mapShareAt(0, 0)).toBe(1);
  });
});

describe("the learning rate", () => {
  const rates = (kind: "cosine" | "step" | "constant"): readonly number[] =>
    Array.from({ length: 11 }, (_, step) => rateAt({ kind, rate: 1, warmUpSteps: 1, steps: 11 }, step));

  it("rises to its largest value, and then falls as half a cosine", () => {
    const cosine = rates("cosine");
    expect(cosine.slice(0, 2)).toEqual([0.5, 1]);
    expect(cosine[6]).toBeCloseTo(0.5, 12);
    expect(cosine[10]).toBeCloseTo((1 + Math.cos(0.9 * Math.PI)) / 2, 12);
  });

  it("falls to a tenth twice in steps, or not at all", () => {
    expect(rates("step").map((rate) => Number(rate.toFixed(3)))).toEqual([0.5, 1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01]);
    expect(rates("constant").slice(1)).toEqual(Array.from({ length: 10 }, () => 1));
  });
});
