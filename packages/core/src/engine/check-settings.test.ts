import { describe, expect, it } from "vitest";
import { chooseEngine } from "./choose-engine.ts";
import { engineNames, openEngine } from "./engines.ts";

const faults = [
  [{ threads: 100_000 }, "expected threads to be an integer from 1 to 1024, got 100000"],
  [{ threads: 0 }, "expected threads to be an integer from 1 to 1024, got 0"],
  [{ threads: 1.5 }, "got 1.5"],
  [{ device: -1 }, "expected device to be an integer from 0, got -1"],
  [{ device: Number.NaN }, "got NaN"],
] as const;

describe.each(faults)("settings of %o", (settings, text) => {
  it.each(engineNames)("are refused for %s before it is loaded", async (engine) => {
    // A library that is nowhere: its absence is not what is told.
    await expect(openEngine({ engine, library: "/nowhere", ...settings })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(text),
    });
  });

  it("are refused once where the engine is to be chosen", async () => {
    await expect(chooseEngine(settings)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(text),
    });
  });
});
