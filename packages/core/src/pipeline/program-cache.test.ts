import { describe, expect, it } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { scalarConstant } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import { openProgramCache } from "./program-cache.ts";

/** An engine that counts: what a cache asks of it is the whole question here. */
function countingEngine(): { readonly engine: Engine; readonly log: string[] } {
  const log: string[] = [];
  const engine: Engine = {
    name: "counting",
    provider: "none",
    version: "0",
    device: "nothing",
    precisions: ["float32"],
    widest: "float32",
    keepsOrder: true,
    composesConvolutions: true,
    overhead: 1,
    compile: async (_, { label = "" } = {}) => {
      log.push(`compile ${label}`);
      if (label === "bad") throw new Error("cannot compile");
      return {
        inputs: [],
        run: () => Promise.resolve({ outputs: {}, busySeconds: 0 }),
        [Symbol.asyncDispose]: async () => void log.push(`dispose ${label}`),
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { engine, log };
}

const request = (key: string) => ({
  key,
  label: key,
  frequent: false,
  precision: "float32" as const,
  build: () => graphOf({ y: scalarConstant(1) }),
});

describe("a program cache", () => {
  it("compiles once for each key, also when asked at the same time", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine);
    const [a, b] = await Promise.all([cache.get(request("a")), cache.get(request("a"))]);
    expect(a).toBe(b);
    expect(log).toEqual(["compile a"]);
  });

  it("gives up the program that was used longest ago", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine, { limit: 2 });
    for (const key of ["a", "b", "a", "c"]) await cache.get(request(key));
    expect(log).toEqual(["compile a", "compile b", "compile c", "dispose b"]);
  });

  it("does not keep a failure", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine);
    await expect(cache.get(request("bad"))).rejects.toThrow("cannot compile");
    await expect(cache.get(request("bad"))).rejects.toThrow("cannot compile");
    expect(log).toEqual(["compile bad", "compile bad"]);
  });
});
