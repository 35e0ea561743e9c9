import { expect, test } from "vitest";
import { queueSchema } from "./queue-options.ts";

const host = "redis://127.0.0.1:6379";
const faultsOf = (redis: string): readonly string[] =>
  queueSchema.safeParse({ redis }).error?.issues.map(({ message }) => message) ?? [];

test.each(["", "/", "/0", "/15", "?db=3", "/?db=3"])(
  "an address may leave the database open, or name one: %j",
  (end) => {
    expect(faultsOf(host + end)).toEqual([]);
  },
);

test.each(["/abc", "/1/2", "/-1", "?db=abc", "?db="])("an address names no database that there can't be: %j", (end) => {
  expect(faultsOf(host + end)).toEqual([expect.stringContaining("the number of a database")]);
});

test("a stray % in a password is told", () => {
  expect(faultsOf("redis://:a%zz@127.0.0.1")).toEqual([expect.stringContaining("such as %25 for %")]);
});
