import { openHttpProxy } from "./http-proxy.ts";
import type { HttpProxy } from "./http-proxy.ts";
import { openTcpProxy } from "./tcp-proxy.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

/** What lies between commands and their servers. */
export interface Network extends AsyncDisposable {
  readonly redisUrl: string;
  readonly s3Endpoint: string;
  /** The way to Redis. */
  readonly redis: TcpProxy;
  /** The way to the store. */
  readonly store: TcpProxy;
  /** The requests to the store. */
  readonly requests: HttpProxy;
}

export async function openNetwork(servers: { readonly redis: string; readonly s3: string }): Promise<Network> {
  const redis = await openTcpProxy(addressOf(servers.redis));
  const requests = await openHttpProxy(addressOf(servers.s3));
  const store = await openTcpProxy({ host: "127.0.0.1", port: requests.port });
  return {
    redisUrl: `redis://127.0.0.1:${redis.port}`,
    s3Endpoint: `http://127.0.0.1:${store.port}`,
    redis,
    store,
    requests,
    [Symbol.asyncDispose]: async () => {
      await redis[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await requests[Symbol.asyncDispose]();
    },
  };
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
