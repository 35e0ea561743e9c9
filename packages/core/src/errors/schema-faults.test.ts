import { expect, test } from "vitest";
import { schemaFaults } from "./schema-faults.ts";

test("faults are told with their places, and without one where the whole value is wrong", () => {
  const issues = [
    { path: ["tiles", 3, "core"], message: "expected a number" },
    { path: [], message: "expected an object" },
  ];
  expect(schemaFaults({ issues })).toBe("tiles.3.core: expected a number; expected an object");
});
