import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { openSource, openStore } from "@slidelight/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { s3Client } from "../../packages/core/src/io/s3-client.ts";
import { s3Missing, startS3Server } from "../servers/s3-server.ts";
import { openHttpProxy } from "./http-proxy.ts";
import { openTcpProxy } from "./tcp-proxy.ts";

interface Echo extends AsyncDisposable {
  readonly port: number;
  /** All that arrived. */
  readonly received: () => string;
}

async function openEcho(): Promise<Echo> {
  let received = "";
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("data", (bytes) => {
      received += String(bytes);
      socket.write(bytes);
    });
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received: () => received,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Line extends Disposable {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: () => boolean;
}

function dial(port: number): Line {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let closed = false;
  socket.on("data", (bytes) => (text += String(bytes)));
  socket.on("error", () => undefined);
  socket.on("close", () => (closed = true));
  return { socket, text: () => text, closed: () => closed, [Symbol.dispose]: () => socket.destroy() };
}

describe("a stretch of network", () => {
  test("passes what is sent, and can be cut, refused and taken up again", async () => {
    await using echo = await openEcho();
    await using proxy = await openTcpProxy({ host: "127.0.0.1", port: echo.port });
    using first = dial(proxy.port);
    first.socket.write("one");
    await expect.poll(first.text).toBe("one");
    proxy.cut();
    await expect.poll(first.closed).toBe(true);
    proxy.refuse();
    using refused = dial(proxy.port);
    await expect.poll(refused.closed).toBe(true);
    proxy.accept();
    using second = dial(proxy.port);
    second.socket.write("two");
    await expect.poll(second.text).toBe("two");
    expect(echo.received()).toBe("onetwo");
    await expect.poll(() => proxy.connections).toBe(1);
  });

  test("keeps what is sent while it is frozen, also on new connections", async () => {
    await using echo = await openEcho();
    await using proxy = await openTcpProxy({ host: "127.0.0.1", port: echo.port });
    using known = dial(proxy.port);
    known.socket.write("a");
    await expect.poll(known.text).toBe("a");
    proxy.freeze();
    using fresh = dial(proxy.port);
    known.socket.write("b");
    fresh.socket.write("c");
    await expect.poll(() => proxy.connections).toBe(2);
    expect(echo.received()).toBe("a");
    proxy.thaw();
    await expect.poll(known.text).toBe("ab");
    await expect.poll(fresh.text).toBe("c");
  });

  test("cuts within what a client sends, and the server has what came before", async () => {
    await using echo = await openEcho();
    await using proxy = await openTcpProxy({ host: "127.0.0.1", port: echo.port });
    const cut = proxy.cutAfter(5);
    using line = dial(proxy.port);
    line.socket.write("abc");
    line.socket.write("defgh");
    await cut;
    await expect.poll(line.closed).toBe(true);
    await expect.poll(echo.received).toBe("abcde");
  });
});

const missing = s3Missing();
if (missing !== undefined) console.warn(`The proxy before S3 is not tested: there is ${missing}.`);

describe.skipIf(missing !== undefined)("a proxy before S3", () => {
  const bucket = "slidelight-proxied";
  let server: Awaited<ReturnType<typeof startS3Server>>;
  beforeAll(async () => {
    server = await startS3Server();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const credentials = { accessKeyId, secretAccessKey };
    await s3Client({ endpoint, region, credentials }).send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function openProxied() {
    const { hostname, port } = new URL(server.endpoint);
    const proxy = await openHttpProxy({ host: hostname, port: Number(port) });
    const { region, accessKeyId, secretAccessKey } = server;
    const credentials = { accessKeyId, secretAccessKey };
    const s3 = { endpoint: `http://127.0.0.1:${proxy.port}`, region, credentials };
    return {
      proxy,
      s3,
      store: openStore(`s3://${bucket}/${proxy.port}`, { s3 }),
      [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
    };
  }
  const body = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251));

  test("passes requests on with signatures that hold", async () => {
    await using proxied = await openProxied();
    expect(await proxied.store.put("a b/größe", body, { ifAbsent: true })).toBe("written");
    expect(await proxied.store.put("a b/größe", body, { ifAbsent: true })).toBe("exists");
    await using source = await proxied.store.open("a b/größe");
    expect(Buffer.from(await source.read({ offset: 100, length: 40_000 }))).toEqual(body.subarray(100, 40_100));
    const keys: string[] = [];
    for await (const { key } of proxied.store.list("")) keys.push(key);
    expect(keys).toEqual(["a b/größe"]);
    await proxied.store.delete("a b/größe");
    expect(await proxied.store.head("a b/größe")).toBeUndefined();
  });

  test("answers in the server's place as often as it is told, and a client that tries again is served", async () => {
    await using proxied = await openProxied();
    const told = proxied.proxy.add({
      method: "PUT",
      path: /busy/u,
      times: 2,
      trouble: { kind: "answer", status: 503, code: "SlowDown" },
    });
    expect(await proxied.store.put("busy", body)).toBe("written");
    expect(told.count).toBe(2);
    expect(proxied.proxy.requests).toHaveLength(3);
  });

  test("loses an answer after the server did what was asked, and a writer knows its own object", async () => {
    await using proxied = await openProxied();
    const lost = proxied.proxy.add({ method: "PUT", times: 1, trouble: { kind: "lose-answer" } });
    expect(await proxied.store.put("once", body, { ifAbsent: true })).toBe("written");
    expect(lost.count).toBe(1);
    const puts = proxied.proxy.requests.filter((request) => request.startsWith("PUT"));
    expect(puts).toHaveLength(2);
  });

  test("holds a request or an answer until it is let go", async () => {
    await using proxied = await openProxied();
    for (const what of ["request", "answer"] as const) {
      const held = proxied.proxy.add({
        method: "PUT",
        path: new RegExp(what, "u"),
        times: 1,
        trouble: { kind: "hold", what },
      });
      const put = proxied.store.put(what, body);
      await expect.poll(() => held.count).toBe(1);
      // The server alone knows what it has.
      const there = async () => (await proxied.store.head(what)) !== undefined;
      if (what === "answer") await expect.poll(there).toBe(true);
      else expect(await there()).toBe(false);
      held.release();
      expect(await put).toBe("written");
    }
  });

  test.each([
    { kind: "truncate", bytes: 1_000 },
    { kind: "slow", pieceBytes: 10_000, pauseMs: 5 },
  ] as const)("gives a body with trouble, and the bytes are right in the end: $kind", async (trouble) => {
    await using proxied = await openProxied();
    await proxied.store.put("body", body);
    const told = proxied.proxy.add({ method: "GET", times: 2, trouble });
    await using source = await openSource(`${proxied.store.uri}/body`, { s3: proxied.s3 });
    expect(Buffer.from(await source.read({ offset: 0, length: body.length }))).toEqual(body);
    expect(told.count).toBe(trouble.kind === "truncate" ? 2 : 1);
  });

  test("leaves header names and values as they were sent", async () => {
    let seen: IncomingMessage["rawHeaders"] = [];
    const echo = createServer((request, response) => {
      seen = request.rawHeaders;
      response.setHeader("X-Answer", ["1", "2"]);
      response.end("yes");
    });
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
    await using proxy = await openHttpProxy({ host: "127.0.0.1", port: (echo.address() as AddressInfo).port });
    const answer = await fetch(`http://127.0.0.1:${proxy.port}/x?y=%20`, { headers: { "x-Odd-Name": "a  b" } });
    expect(await answer.text()).toBe("yes");
    expect(answer.headers.get("x-answer")).toBe("1, 2");
    expect(proxy.requests).toEqual(["GET /x?y=%20"]);
    expect(seen).toContain(`127.0.0.1:${proxy.port}`);
    expect(seen).toContain("a  b");
    await new Promise((resolve) => echo.close(resolve));
  });
});
