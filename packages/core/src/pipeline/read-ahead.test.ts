import { describe, expect, it } from "vitest";
import { readAhead } from "./read-ahead.ts";

describe("reading ahead", () => {
  it("keeps the order and the depth", async () => {
    let running = 0;
    let most = 0;
    const start = async (item: number): Promise<number> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, item % 3));
      running -= 1;
      return item * 2;
    };
    const results: number[] = [];
    for await (const result of readAhead([1, 2, 3, 4, 5, 6, 7], { depth: 3, start })) results.push(result);
    expect(results).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(most).toBe(3);
  });

  it("waits for what it started when the consumer stops", async () => {
    const finished: number[] = [];
    const start = async (item: number): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, item));
      finished.push(item);
      return item;
    };
    for await (const result of readAhead([1, 5, 9, 13], { depth: 3, start })) if (result === 1) break;
    expect(finished.sort((a, b) => a - b)).toEqual([1, 5, 9, 13]);
  });

  it("throws a failure when its turn comes, and leaves no rejection unhandled", async () => {
    const start = (item: number): Promise<number> =>
      item === 2 ? Promise.reject(new Error("two")) : Promise.resolve(item);
    const results: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const result of readAhead([1, 2, 3], { depth: 3, start })) results.push(result);
    };
    await expect(reading()).rejects.toThrow("two");
    expect(results).toEqual([1]);
  });
});
