import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { elementsOf, float32 } from "../graph/tensor.ts";
import { chooseEngine } from "./choose-engine.ts";
import type { Candidate } from "./choose-engine.ts";
import type { Engine } from "./engine.ts";
import { openOnnxRuntimeEngine } from "./onnxruntime/index.ts";

/** ONNX Runtime under other names, and with faults; `log` tells what is opened and closed. */
function candidates() {
  const log: string[] = [];
  const candidate = (name: string, change: (engine: Engine) => Partial<Engine> = () => ({})): Candidate => ({
    name,
    open: async () => {
      log.push(`open ${name}`);
      const engine = await openOnnxRuntimeEngine({ threads: 1 });
      return {
        ...engine,
        provider: name,
        ...change(engine),
        [Symbol.asyncDispose]: async () => {
          log.push(`close ${name}`);
          await engine[Symbol.asyncDispose]();
        },
      };
    },
  });
  return { log, candidate };
}

/** Computes one image of the size by which speed is measured only after what `late` waits for. */
const whenTimed =
  (late: () => Promise<void>) =>
  (engine: Engine): Partial<Engine> => ({
    compile: async (graph, options) => {
      const program = await engine.compile(graph, options);
      const run: typeof program.run = async (inputs, runOptions) => {
        if (options?.label === "speed") await late();
        return program.run(inputs, runOptions);
      };
      return { ...program, run };
    },
  });

/** All values twice as large as they are: a program whose error is beyond what is exact. */
const wrong = (engine: Engine): Partial<Engine> => ({
  compile: async (graph, options) => {
    const program = await engine.compile(graph, options);
    return {
      ...program,
      run: async (inputs, runOptions) => {
        const { outputs, ...rest } = await program.run(inputs, runOptions);
        const doubled = Object.entries(outputs).map(([name, tensor]) => {
          return [
            name,
            float32(
              tensor.shape,
              Float32Array.from(elementsOf(tensor), (value) => 2 * value),
            ),
          ] as const;
        });
        return { outputs: Object.fromEntries(doubled), ...rest };
      },
    };
  },
});

const fault = (): Promise<never> =>
  Promise.reject(new SlidelightError("engine-failed", "Running: expected a result, got: out of memory"));

describe("an engine", () => {
  it("that does not compute exactly is passed over, and closed", async () => {
    const { log, candidate } = candidates();
    const processors = [candidate("wrong", wrong), candidate("right")];
    await using engine = await chooseEngine({}, { processors, accelerators: [] });
    expect(engine.provider).toBe("right");
    expect(log).toEqual(["open wrong", "close wrong", "open right"]);
  });

  it("is the accelerator when that is twice as fast, and then the processor is closed", async () => {
    const { log, candidate } = candidates();
    // As fast as one another, but for how long the processor lets wait.
    const slow = whenTimed(() => new Promise((resolve) => setTimeout(resolve, 1200)));
    const all = { processors: [candidate("cpu", slow)], accelerators: [candidate("gpu")] };
    await using engine = await chooseEngine({}, all);
    expect(engine.provider).toBe("gpu");
    expect(log).toEqual(["open cpu", "open gpu", "close cpu"]);
  });

  it("is the processor when the accelerator is no faster, or fails at more than the check", async () => {
    for (const change of [whenTimed(() => setImmediate()), whenTimed(fault)]) {
      const { log, candidate } = candidates();
      const all = { processors: [candidate("cpu")], accelerators: [candidate("gpu", change)] };
      await using engine = await chooseEngine({}, all);
      expect(engine.provider).toBe("cpu");
      expect(log).toEqual(["open cpu", "open gpu", "close gpu"]);
    }
  });

  it("is none when nobody waits any more: all that were opened are closed", async () => {
    const { log, candidate } = candidates();
    const abort = new AbortController();
    const leave = (): Promise<never> => {
      abort.abort(new Error("interrupted"));
      return Promise.reject(abort.signal.reason);
    };
    const all = { processors: [candidate("cpu")], accelerators: [candidate("gpu", whenTimed(leave))] };
    await expect(chooseEngine({ signal: abort.signal }, all)).rejects.toThrow("interrupted");
    expect(log.toSorted()).toEqual(["close cpu", "close gpu", "open cpu", "open gpu"]);
  });

  it("says of each why it can't compute when none can", async () => {
    const missing = (name: string): Candidate => ({
      name,
      open: () => Promise.reject(new SlidelightError("engine-unavailable", `no ${name} library`)),
    });
    await expect(chooseEngine({}, { processors: [missing("a")], accelerators: [missing("b")] })).rejects.toMatchObject({
      code: "engine-unavailable",
      message: expect.stringMatching(/a: no a library\n.*b: no b library/u),
    });
  });
});
