import { describe, expect, it } from "vitest";
import { openWarmPool } from "./warm-pool.ts";

interface ModelOptions {
  readonly frequent?: boolean;
  readonly bytes?: number;
  readonly key?: string;
}

const model = (name: string, { frequent = false, bytes = 10, key }: ModelOptions = {}) => {
  return { name, frequent, workingBytes: bytes, ...(key === undefined ? {} : { key }) };
};

interface Settings {
  readonly warmBytes?: number;
  readonly mostBytes?: number;
  readonly limit?: number;
  readonly spareBytes?: () => number;
}

function poolOf({ warmBytes = 0, mostBytes = warmBytes, limit = 10, spareBytes = () => 0 }: Settings = {}) {
  const log: string[] = [];
  /** Models that can't be opened, each once, in this order. */
  const faults: string[] = [];
  const pool = openWarmPool<ReturnType<typeof model>, string>({
    warm: { leastBytes: warmBytes, mostBytes },
    spareBytes,
    limit,
    open: async ({ name }) => {
      log.push(`open ${name}`);
      if (name === "bad" || faults.splice(0, 1)[0] === name) throw new Error("can't be opened");
      return name;
    },
    close: async (name) => void log.push(`close ${name}`),
  });
  return { pool, log, faults };
}

const run = (opened: string): Promise<string> => Promise.resolve(`ran ${opened}`);

describe("a pool of models", () => {
  it("closes those that ran when they hold more than may stay warm, and opens them again when they are used", async () => {
    const { pool, log } = poolOf({ warmBytes: 10 });
    for (const [program, name] of ["a", "b", "c"].entries()) await pool.add(program, model(name));
    for (const program of [0, 1, 2, 0]) await pool.use(program, run);
    // With a and b warm, c's run lets a go; a's run lets b go.
    expect(log.toSorted()).toEqual(["close a", "close b", "open a", "open a", "open b", "open c"]);
    await pool[Symbol.asyncDispose]();
    expect(log.slice(6)).toEqual(["close c", "close a"]);
  });

  it("lets the frequent one go last", async () => {
    const { pool, log } = poolOf({ warmBytes: 10 });
    await pool.add(0, model("inner", { frequent: true }));
    await pool.add(1, model("left"));
    await pool.add(2, model("right"));
    for (const program of [0, 1, 2, 0]) await pool.use(program, run);
    expect(log.filter((line) => line.startsWith("close"))).toEqual(["close left"]);
  });

  it("keeps more warm where memory can be spared, and gives it back when it can't any more", async () => {
    let spare = 25;
    const { pool, log } = poolOf({ mostBytes: 100, spareBytes: () => spare });
    const use = async (program: number): Promise<void> => {
      await pool.use(program, async () => void (spare -= log.includes(`ran ${program}`) ? 0 : 10));
      log.push(`ran ${program}`);
    };
    for (const [program, name] of ["a", "b", "c"].entries()) await pool.add(program, model(name));
    for (const program of [0, 1, 0, 1]) await use(program);
    expect(log.filter((line) => line.startsWith("close"))).toEqual([]);
    // c needs 10, and 5 are left: a goes, which was used before b.
    await use(2);
    expect(log.filter((line) => line.startsWith("close"))).toEqual(["close a"]);
    spare = -5;
    await use(2);
    expect(log.filter((line) => line.startsWith("close"))).toEqual(["close a", "close b"]);
  });

  it("keeps no more warm than it may, however much can be spared", async () => {
    const { pool, log } = poolOf({ mostBytes: 25, spareBytes: () => 1000 });
    for (const [program, name] of ["a", "b", "c"].entries()) await pool.add(program, model(name));
    for (const program of [0, 1, 2]) await pool.use(program, run);
    expect(log.filter((line) => line.startsWith("close"))).toEqual(["close a"]);
  });

  it("has at most so many open", async () => {
    const { pool, log } = poolOf({ warmBytes: 1000, limit: 2 });
    for (const [program, name] of ["a", "b", "c"].entries()) await pool.add(program, model(name));
    expect(log.toSorted()).toEqual(["close a", "open a", "open b", "open c"]);
    expect(await pool.use(0, run)).toBe("ran a");
  });

  it("opens a model that was closed as soon as it is known that it will be used", async () => {
    const { pool, log } = poolOf();
    await pool.add(0, model("a"));
    await pool.add(1, model("b"));
    for (const program of [0, 1]) await pool.use(program, run);
    pool.prepare(0);
    expect(log.filter((line) => line === "open a")).toHaveLength(2);
    await pool.use(0, run);
    expect(log.filter((line) => line === "open a")).toHaveLength(2);
  });

  it("does not close the one that runs when another is added meanwhile", async () => {
    const { pool, log } = poolOf({ limit: 1 });
    await pool.add(0, model("a"));
    let finish = (): void => undefined;
    const running = pool.use(0, async (opened) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return opened;
    });
    await pool.add(1, model("b"));
    expect(log).toEqual(["open a", "open b"]);
    finish();
    expect(await running).toBe("a");
  });

  it("opens one model for programs of one key, which holds what the largest of them took, and closes it with the last", async () => {
    const { pool, log } = poolOf({ warmBytes: 10 });
    await pool.add(0, model("small", { bytes: 10, key: "k" }));
    await pool.add(1, model("large", { bytes: 20, key: "k" }));
    expect(await pool.use(0, run)).toBe("ran small");
    expect([pool.holds(0), pool.holds(1)]).toEqual([true, false]);
    await pool.use(1, run);
    expect([pool.holds(0), pool.holds(1)]).toEqual([true, true]);
    await pool.remove(1);
    expect(log).toEqual(["open small"]);
    expect(pool.holds(0)).toBe(true);
    // What it holds counts, not what its last program takes: more than may stay beside another.
    await pool.add(2, model("other"));
    await pool.use(2, run);
    expect(log).toEqual(["open small", "open other", "close small"]);
    await pool.remove(0);
    await expect(pool.use(1, run)).rejects.toThrow("disposed of");
  });

  it("opens a model again that could not be opened for a reason that has passed", async () => {
    const { pool, log, faults } = poolOf();
    await pool.add(0, model("a"));
    await pool.add(1, model("b"));
    for (const program of [0, 1]) await pool.use(program, run);
    faults.push("a", "a");
    pool.prepare(0);
    await expect(pool.use(0, run)).rejects.toThrow("can't be opened");
    await expect(pool.use(0, run)).rejects.toThrow("can't be opened");
    expect(await pool.use(0, run)).toBe("ran a");
    expect(log.filter((line) => line === "open a")).toHaveLength(4);
    // Nothing was opened that nobody closes.
    await pool[Symbol.asyncDispose]();
    expect(log.filter((line) => line.startsWith("close")).toSorted()).toEqual(["close a", "close a", "close b"]);
  });

  it("opens nothing any more when it was closed, as what it opens models with is gone", async () => {
    const { pool, log } = poolOf();
    await pool.add(0, model("a"));
    await pool[Symbol.asyncDispose]();
    await expect(pool.add(1, model("b"))).rejects.toThrow("closed");
    expect(log).toEqual(["open a", "close a"]);
  });

  it("forgets a model that can't be opened, and closes what is removed", async () => {
    const { pool, log } = poolOf();
    await expect(pool.add(0, model("bad"))).rejects.toThrow("can't be opened");
    await expect(pool.use(0, run)).rejects.toThrow("disposed of");
    await pool.add(1, model("a"));
    await pool.remove(1);
    await pool.remove(1);
    expect(log).toEqual(["open bad", "open a", "close a"]);
  });
});
