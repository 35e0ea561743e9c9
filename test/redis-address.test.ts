import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownRedisMissing, startRedisServer } from "./servers/redis-server.ts";
import type { RedisServer } from "./servers/redis-server.ts";
import { openWorkplace, slidelight } from "./slidelight.ts";
import type { Workplace } from "./slidelight.ts";

const missing = ownRedisMissing();

describe.skipIf(missing !== undefined)("the address of Redis", () => {
  let redis: RedisServer;
  let work: Workplace;
  beforeAll(async () => {
    redis = await startRedisServer();
    work = await openWorkplace();
  });
  afterAll(async () => {
    await work[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  const run = (command: string, address: string) =>
    slidelight([command, "--redis", address, ...(command === "status" ? [] : ["--port", "0"])], {
      folder: work.folder,
    });

  test("names a database by its number, and that one is asked", async () => {
    expect(await run("status", `${redis.url}/`)).toMatchObject({ status: 0 });
    const job = ["--model", "model.onnx", "--out", "maps", "--redis", `${redis.url}/3`];
    expect(await slidelight(["enqueue", "images/", ...job], { folder: work.folder })).toMatchObject({ status: 0 });
    expect((await run("status", `${redis.url}/3`)).stdout).toContain("2 waiting");
    expect((await run("status", redis.url)).stdout).toContain("0 waiting");
  });

  test("with a database that there can't be is refused", async () => {
    expect(await run("status", `${redis.url}/abc`)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^✗ \[usage\].*\n.*--redis.*: expected nothing or the number of a database/u),
    });
  });

  // Whose connections differ.
  test.each(["status", "worker"])("with a database that it does not have is told by %s", async (command) => {
    expect(await run(command, `${redis.url}/99`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\[queue-unavailable\] .* failed: ERR DB index .*\. Name a database that it has/u),
    });
  });

  test("is taken from SLIDELIGHT_REDIS, else from REDIS_URL, and the help says so", async () => {
    const nowhere = "redis://127.0.0.1:1";
    const status = (env: Readonly<Record<string, string>>) => slidelight(["status"], { folder: work.folder, env });
    expect(await status({ SLIDELIGHT_REDIS: redis.url, REDIS_URL: nowhere })).toMatchObject({ status: 0 });
    expect(await status({ SLIDELIGHT_REDIS: "", REDIS_URL: redis.url })).toMatchObject({ status: 0 });
    expect(await status({ SLIDELIGHT_REDIS: nowhere, REDIS_URL: redis.url })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(nowhere),
    });
    const help = await slidelight(["status", "--help"], { folder: work.folder });
    expect(help.stdout).toContain("SLIDELIGHT_QUEUE for --queue; for --redis SLIDELIGHT_REDIS, then REDIS_URL.");
  });

  test("without its password, or with another, is told with where to give it", async () => {
    const client = new Redis(redis.url);
    try {
      await client.config("SET", "requirepass", "secret");
      const locked = (password: string): string => redis.url.replace("redis://", `redis://:${password}@`);
      for (const [address, answer] of [
        [redis.url, "NOAUTH"],
        [locked("wrong"), "WRONGPASS"],
      ] as const) {
        expect(await run("status", address)).toMatchObject({
          status: 1,
          stderr: expect.stringMatching(
            new RegExp(`\\[queue-unavailable\\] .* failed: ${answer} [^.]*\\. Give the password in the address`, "u"),
          ),
        });
      }
      expect(await run("status", locked("secret"))).toMatchObject({ status: 0, stderr: "" });
    } finally {
      await client.config("SET", "requirepass", "");
      client.disconnect();
    }
  });
});
