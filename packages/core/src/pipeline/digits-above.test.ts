import { expect, it } from "vitest";
import { digitsAbove } from "./digits-above.ts";

it.each([
  [0.0341, 0.01, "0.034"],
  [0.010_04, 0.01, "0.01004"],
  [0.010_049, 0.01, "0.01005"],
  [1, 0.01, "1.0"],
  [Infinity, 0.01, "Infinity"],
])("a value of %d is seen to be above %d as %s", (value, bound, text) => {
  expect(digitsAbove(value, bound)).toBe(text);
  expect(Number(text)).toBeGreaterThan(bound);
});
