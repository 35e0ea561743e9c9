import { describe, expect, it } from "vitest";
import type { Engine, Program } from "../engine/engine.ts";
import { scalarConstant } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import { openProgramCache } from "./program-cache.ts";
import type { ProgramRequest } from "./program-cache.ts";

/** An engine that counts: what a cache asks of it is the whole question here. */
function countingEngine({ alikeTiles = true } = {}): {
  readonly engine: Engine;
  readonly log: string[];
} {
  const log: string[] = [];
  const engine: Engine = {
    name: "counting",
    provider: "none",
    version: "0",
    device: "nothing",
    precisions: ["float32"],
    widest: "float32",
    keepsOrder: true,
    alikeTiles,
    resizes: () => false,
    overhead: 1,
    compile: async (_, { label = "" } = {}) => {
      log.push(`compile ${label}`);
      if (label === "bad") throw new Error("cannot compile");
      return {
        inputs: [],
        run: async () => {
          log.push(`run ${label}`);
          return { outputs: {}, busySeconds: 0 };
        },
        [Symbol.asyncDispose]: async () => void log.push(`dispose ${label}`),
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { engine, log };
}

/** Equal numbers are equal graphs, whatever the key; the label is for the log. */
const request = (key: string, { value = key.length, label = key, ofAnySize = false } = {}): ProgramRequest => ({
  key,
  label,
  frequent: false,
  ofAnySize,
  precision: "float32",
  build: () => graphOf({ y: scalarConstant(value) }),
  optimise: (graph) => graph,
});

const settled = async (program: Promise<Program>): Promise<Program> => program;

describe("a program cache", () => {
  it("compiles once for each key, also when asked at the same time", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine);
    const [a, b] = await Promise.all([cache.use(request("a"), settled), cache.use(request("a"), settled)]);
    expect(a).toBe(b);
    expect(log).toEqual(["compile a"]);
  });

  it("compiles once for graphs that are equal, whatever their keys", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine);
    const a = await cache.use(request("a", { value: 7 }), settled);
    const b = await cache.use(request("b", { value: 7 }), settled);
    await cache.use(request("c", { value: 8 }), settled);
    expect(a).toBe(b);
    expect(log).toEqual(["compile a", "compile c"]);
  });

  it("gives up the program that was used longest ago", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine, { limit: 2 });
    for (const key of ["a", "bb", "a", "ccc"]) await cache.use(request(key), settled);
    expect(log).toEqual(["compile a", "compile bb", "compile ccc", "dispose bb"]);
  });

  it("never gives up one that is in use: above the limit, others wait for it", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine, { limit: 1 });
    let goOn = (): void => undefined;
    const waited = new Promise<void>((resolve) => (goOn = resolve));
    const first = cache.use(request("a"), async (program) => {
      await waited;
      return (await program).run({});
    });
    await cache.use(request("bb"), settled);
    await cache.use(request("ccc"), settled);
    goOn();
    await first;
    await cache.use(request("dddd"), settled);
    await cache[Symbol.asyncDispose]();
    expect(log.filter((line) => /bb|a$/u.test(line))).toEqual([
      "compile a",
      "compile bb",
      "dispose bb",
      "run a",
      "dispose a",
    ]);
  });

  it("gives up what was wanted once when the next such program comes, where images' programs differ", async () => {
    const { engine, log } = countingEngine({ alikeTiles: false });
    await using cache = openProgramCache(engine);
    for (const key of ["a", "bb", "ccc"]) await cache.use(request(key), settled);
    expect(log).toEqual(["compile a", "compile bb", "dispose a", "compile ccc", "dispose bb"]);
  });

  it("keeps what the engine has one model for, as it takes no memory of its own", async () => {
    const { engine, log } = countingEngine({ alikeTiles: false });
    await using cache = openProgramCache(engine);
    for (const key of ["a", "bb", "ccc"]) await cache.use(request(key, { ofAnySize: true }), settled);
    expect(log).toEqual(["compile a", "compile bb", "compile ccc"]);
  });

  it("keeps what is wanted again, at once or after it was given up", async () => {
    const { engine, log } = countingEngine({ alikeTiles: false });
    await using cache = openProgramCache(engine);
    for (const key of ["a", "a", "bb", "ccc", "bb", "dddd", "a", "bb", "eeeee", "a", "bb"]) {
      await cache.use(request(key), settled);
    }
    expect(log.filter((line) => line.startsWith("compile"))).toEqual(
      ["a", "bb", "ccc", "bb", "dddd", "eeeee"].map((key) => `compile ${key}`),
    );
  });

  it("does not keep a failure", async () => {
    const { engine, log } = countingEngine();
    await using cache = openProgramCache(engine);
    await expect(cache.use(request("bad"), settled)).rejects.toThrow("cannot compile");
    await expect(cache.use(request("bad"), settled)).rejects.toThrow("cannot compile");
    expect(log).toEqual(["compile bad", "compile bad"]);
  });
});
