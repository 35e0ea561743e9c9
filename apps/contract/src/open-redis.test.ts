import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, openLastingRedis } from "./open-redis.ts";

/** Takes connections and says nothing, as a Redis that was stopped, or a balancer with nothing behind it. */
let silent: Server;
let address = "";

beforeAll(async () => {
  silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const bound = silent.address();
  address = `redis://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
});

afterAll(() => silent.close());

test("a Redis that takes the connection and does not answer is out of reach, after a while", async () => {
  const expected = {
    code: "queue-unavailable",
    message: expect.stringMatching(/Connecting to Redis at redis:.* failed: no answer for 0\.1 s/u),
  };
  await expect(connect(address, { answerMs: 100 })).rejects.toMatchObject(expected);
  await expect(openLastingRedis(address, () => undefined, { answerMs: 100 })).rejects.toMatchObject(expected);
});
