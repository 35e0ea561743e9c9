import type { OptionTable } from "@slidelight/contract";
import { z } from "zod";

export const outputOptions = {
  json: { flag: "--json", text: "print one JSON document on standard output" },
  quiet: { flag: "--quiet", text: "print failures only" },
} as const satisfies OptionTable;

export function onOff(fallback: boolean) {
  return z.stringbool({ error: "expected on or off" }).default(fallback);
}

export function integer(least: number, most: number) {
  const expected = `expected an integer from ${least} to ${most}`;
  return z.coerce.number(expected).int(expected).min(least, expected).max(most, expected);
}

export function share(most: number) {
  const expected = `expected a number from 0 to ${most}`;
  return z.coerce.number(expected).min(0, expected).max(most, expected);
}

export const positive = z.coerce.number("expected a number above 0").positive("expected a number above 0");

/** Three numbers between commas. */
export function triple(check: (value: number) => boolean) {
  const expected = "expected three numbers, such as 0.5,0.5,0.5";
  return z.string().transform((text, context): readonly [number, number, number] => {
    const [r, g, b, ...rest] = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    if (r !== undefined && g !== undefined && b !== undefined && rest.length === 0 && [r, g, b].every(check)) {
      return [r, g, b];
    }
    context.addIssue({ code: "custom", message: expected });
    return z.NEVER;
  });
}
