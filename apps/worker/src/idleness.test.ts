import { expect, test } from "vitest";
import { idleFor } from "./idleness.ts";

const empty = { wait: 0, prioritized: 0, active: 0, delayed: 0, "waiting-children": 0, completed: 7, failed: 3 };
const seconds = 0.02;

test.each(["wait", "prioritized", "active", "delayed", "waiting-children"])(
  "a worker stays while a job of either queue is in the state %s",
  async (state) => {
    for (const busy of [
      [{ ...empty, [state]: 1 }, empty],
      [empty, { ...empty, [state]: 1 }],
    ]) {
      let asked = 0;
      const counts = async () => {
        asked += 1;
        return asked <= 5 ? busy : [empty, empty];
      };
      await idleFor(counts, { seconds, signal: new AbortController().signal });
      expect(asked).toBeGreaterThan(5);
    }
  },
);

test("a queue that does not answer is not idle", async () => {
  let asked = 0;
  const counts = async () => {
    asked += 1;
    return asked <= 5 ? undefined : [empty, empty];
  };
  await idleFor(counts, { seconds, signal: new AbortController().signal });
  expect(asked).toBeGreaterThan(5);
});

test("a worker that is told to stop does not wait for idleness", async () => {
  const stop = new AbortController();
  const counts = async () => {
    stop.abort();
    return [{ ...empty, active: 1 }];
  };
  await idleFor(counts, { seconds: 3600, signal: stop.signal });
  expect(stop.signal.aborted).toBe(true);
});
