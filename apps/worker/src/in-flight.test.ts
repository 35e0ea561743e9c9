import type { ImageEntry } from "@slidelight/contract";
import type { Observe } from "@slidelight/core";
import { describe, expect, it } from "vitest";
import { explainInFlight } from "./in-flight.ts";

interface Started {
  readonly key: string;
  readonly observe: Observe;
  finish(): void;
  fail(error: Error): void;
}

/** Images by key, which are explained when the test says so. */
function flightOf(keys: readonly string[]) {
  const started: Started[] = [];
  const states: { readonly text: string; readonly done: number; readonly total: number }[] = [];
  async function* entries(): AsyncGenerator<ImageEntry> {
    for (const key of keys) yield { uri: key, key };
  }
  const done = explainInFlight(entries(), {
    start: ({ key }, { observe }) =>
      new Promise<void>((resolve, reject) => {
        started.push({ key, observe, finish: () => resolve(), fail: (error) => reject(error) });
      }),
    progress: (state) => states.push(state),
  });
  done.catch(() => undefined);
  return { done, states, started, begun: () => started.map(({ key }) => key) };
}

/** Lets everything that can go on go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const planned = (pixels: number) => ({ kind: "image-planned", tiles: 1, sweeps: 1, pixels }) as const;
const tile = (pixels: number) => ({ kind: "tile-done", sweep: 0, pixels, busySeconds: 0 }) as const;

describe("images in flight", () => {
  it("waits for those in flight when the list breaks off", async () => {
    const events: string[] = [];
    let finish = (): void => undefined;
    async function* entries(): AsyncGenerator<ImageEntry> {
      yield { uri: "a", key: "a" };
      throw new Error("the list broke off");
    }
    const done = explainInFlight(entries(), {
      start: (_, { observe }) =>
        new Promise<void>((resolve) => {
          observe(planned(1));
          finish = () => {
            events.push("explained");
            resolve();
          };
        }),
      progress: () => undefined,
    }).catch((error: unknown) => events.push(String(error)));
    await settled();
    expect(events).toEqual([]);
    finish();
    await done;
    expect(events).toEqual(["explained", "Error: the list broke off"]);
  });

  it("begins a slide's successor when little of the slide is left, not before", async () => {
    const flight = flightOf(["slide", "next"]);
    await settled();
    expect(flight.begun()).toEqual(["slide"]);
    flight.started[0]?.observe(planned(100_000_000));
    await settled();
    expect(flight.begun()).toEqual(["slide"]);
    flight.started[0]?.observe(tile(90_000_000));
    await settled();
    expect(flight.begun()).toEqual(["slide", "next"]);
    for (const { finish } of flight.started) finish();
    expect(await flight.done).toBe(2);
  });

  it("has a successor for an image that is one large tile while that is computed, and no third", async () => {
    const flight = flightOf(["a", "b", "c"]);
    await settled();
    flight.started[0]?.observe(planned(4096 * 4096));
    await settled();
    flight.started[1]?.observe(planned(4096 * 4096));
    await settled();
    expect(flight.begun()).toEqual(["a", "b"]);
    flight.started[0]?.observe(tile(4096 * 4096));
    await settled();
    expect(flight.begun()).toEqual(["a", "b", "c"]);
    for (const { finish } of flight.started) finish();
    expect(await flight.done).toBe(3);
  });

  it("has several small images in flight, each begun when the one before it is open", async () => {
    const flight = flightOf(["a", "b", "c", "d", "e", "f", "g", "h"]);
    for (let index = 0; index < 8; index += 1) {
      await settled();
      flight.started[index]?.observe(planned(90_000));
    }
    await settled();
    expect(flight.begun()).toEqual(["a", "b", "c", "d", "e", "f"]);
    flight.started[2]?.finish();
    await settled();
    await settled();
    expect(flight.begun()).toHaveLength(7);
    expect(flight.states.at(-1)).toMatchObject({ total: 6 * 90_000, text: expect.stringContaining("and 5 more") });
  });

  it("begins no further image after one that failed for all, waits for the others, and throws what it threw", async () => {
    const flight = flightOf(["a", "b", "c"]);
    await settled();
    flight.started[0]?.observe(planned(1));
    await settled();
    expect(flight.begun()).toEqual(["a", "b"]);
    flight.started[0]?.fail(new Error("no engine"));
    await settled();
    let over = false;
    const ended = flight.done
      .catch(() => undefined)
      .finally(() => {
        over = true;
      });
    await settled();
    expect([flight.begun(), over]).toEqual([["a", "b"], false]);
    flight.started[1]?.finish();
    await ended;
    await expect(flight.done).rejects.toThrow("no engine");
  });

  it("of no images is done at once", async () => {
    expect(await flightOf([]).done).toBe(0);
  });
});
