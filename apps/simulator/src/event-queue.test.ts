import { expect, test } from "vitest";
import { openEventQueue } from "./event-queue.ts";
import { openLine } from "./line.ts";
import { randomOf } from "./random.ts";

test("events come by time, and in the order in which they were put where times are equal", () => {
  const random = randomOf("events");
  const queue = openEventQueue<number>();
  const expected: { readonly seconds: number; readonly event: number }[] = [];
  const taken: { readonly seconds: number; readonly event: number }[] = [];
  for (let event = 0; event < 2000; event += 1) {
    const seconds = Math.floor(random.uniform() * 100);
    queue.put(seconds, event);
    expected.push({ seconds, event });
  }
  for (let next = queue.next(); next !== undefined; next = queue.next()) {
    taken.push({ seconds: next.seconds, event: next.event });
  }
  expect(taken).toEqual(expected.sort((a, b) => a.seconds - b.seconds || a.event - b.event));
  expect(queue.size).toBe(0);
});

test("a line gives what joined at its front, then the others in order, and nothing twice", () => {
  const line = openLine<number>();
  for (let item = 0; item < 5000; item += 1) line.join(item);
  const first = Array.from({ length: 3000 }, () => line.take());
  line.joinFront(-1);
  line.joinFront(-2);
  line.join(5000);
  expect(line.size).toBe(2003);
  const rest = Array.from({ length: line.size }, () => line.take());
  expect(first).toEqual(Array.from({ length: 3000 }, (_, item) => item));
  expect(rest).toEqual([-2, -1, ...Array.from({ length: 2001 }, (_, item) => 3000 + item)]);
  expect(line.take()).toBeUndefined();
});
