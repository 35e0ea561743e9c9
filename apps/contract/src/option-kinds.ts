import { z } from "zod";

/** An option that is given or not; as a variable, `true` or `false`. */
export const flag = z.union([z.stringbool(), z.boolean()], { error: "expected true or false" }).default(false);

/** `a,b` and what was given one by one, as one list: each once, where it came first. */
export const list = (given: unknown): unknown => {
  const parts = (Array.isArray(given) ? given : [given])
    .flatMap((text: unknown) => String(text).split(","))
    .map((part) => part.trim());
  return [...new Set(parts.filter((part) => part !== ""))];
};

/** Some of the values. */
export function pick(
  values: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(values, key)).map((key) => [key, values[key]]));
}
