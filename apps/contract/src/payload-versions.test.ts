import { expect, test } from "vitest";
import { z } from "zod";
import { newerDelayMs } from "./newer-jobs.ts";
import { readPayload, version } from "./payload-versions.ts";
import type { PayloadVersions } from "./payload-versions.ts";

interface Errand {
  readonly goods: readonly string[];
}

/** As they grow over three releases. */
const versions: PayloadVersions<Errand> = {
  1: version(z.strictObject({ version: z.literal(1), item: z.string() }), ({ item }) => ({ goods: [item] })),
  3: version(z.strictObject({ version: z.literal(3), goods: z.array(z.string()) }), ({ goods }) => ({ goods })),
};
const read = (data: unknown): Errand => readPayload(data, { noun: "an errand", versions });

test("payloads of every known version are read as the newest one", () => {
  expect(read({ version: 1, item: "milk" })).toEqual({ goods: ["milk"] });
  expect(read({ version: 3, goods: ["milk", "bread"] })).toEqual({ goods: ["milk", "bread"] });
});

test("a later version is no fault of the payload, anything else is", () => {
  const told = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) });
  expect(() => read({ version: 4, anything: 1 })).toThrow(
    told("job-newer", /version 3 or an older one, got version 4/u),
  );
  expect(() => read({ version: 2, item: "milk" })).toThrow(told("job-invalid", /versions 1, 3, got version 2/u));
  expect(() => read({ version: 1, goods: [] })).toThrow(told("job-invalid", /item/u));
  expect(() => read("milk")).toThrow(told("job-invalid", /got none/u));
});

test("newer jobs are looked at soon, then rarely, and given up after about three days", () => {
  let begun = 1;
  let totalMs = 0;
  for (let delay = newerDelayMs(begun); delay !== undefined; delay = newerDelayMs((begun += 1))) {
    expect(delay).toBeLessThanOrEqual(600_000);
    totalMs += delay;
  }
  expect(newerDelayMs(1)).toBe(5000);
  expect(totalMs / 86_400_000).toBeCloseTo(3, 0);
});
