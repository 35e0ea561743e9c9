import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GenericContainer } from "testcontainers";
import { dockerAnswers, findBinary, startChild } from "./child-server.ts";
import { freePort } from "./free-port.ts";

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  /** Of a local process: to freeze it, or to kill it. */
  readonly pid?: number;
  /** Of a local process: kills it without warning, and starts it again at the same address with what it kept. */
  restart?(): Promise<void>;
}

/** Why no Redis can be had here; `undefined` when one can. */
export function redisMissing(): string | undefined {
  if (process.env["SLIDELIGHT_TEST_REDIS_URL"] !== undefined || findBinary("redis-server") !== undefined)
    return undefined;
  if (dockerAnswers()) return undefined;
  return "no redis-server (apt-get install redis-server), no container engine and no SLIDELIGHT_TEST_REDIS_URL";
}

/** The same, for what changes more of a Redis than queues of its own. */
export function ownRedisMissing(): string | undefined {
  return process.env["SLIDELIGHT_TEST_REDIS_URL"] === undefined
    ? redisMissing()
    : "a Redis that others use is left alone";
}

/**
 * A Redis of the caller's own: a local process, else a container; or the one that the environment names.
 * @param options.appendOnly keep what was written in a file, as a queue's Redis should
 */
export async function startRedisServer({
  appendOnly = false,
}: {
  readonly appendOnly?: boolean;
} = {}): Promise<RedisServer> {
  const named = process.env["SLIDELIGHT_TEST_REDIS_URL"];
  if (named !== undefined) return { url: named, [Symbol.asyncDispose]: async () => undefined };
  const binary = findBinary("redis-server");
  if (binary !== undefined) {
    const folder = await mkdtemp(join(tmpdir(), "slidelight-redis-"));
    const port = await freePort();
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction"];
    if (appendOnly) args.push("--appendonly", "yes");
    let server = await startChild(binary, args, { port, folder });
    return {
      url: `redis://127.0.0.1:${port}`,
      get pid() {
        return server.pid;
      },
      restart: async () => {
        await server[Symbol.asyncDispose]();
        server = await startChild(binary, args, { port, folder });
      },
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
  if (!dockerAnswers()) throw new Error(`No Redis: ${redisMissing() ?? ""}.`);
  const container = await new GenericContainer("redis:7").withExposedPorts(6379).start();
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}
