import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";

/** What goes wrong with a request. */
export type Trouble =
  /** The proxy answers, and the server never hears of the request. */
  | { readonly kind: "answer"; readonly status: number; readonly code: string }
  /** The server does what was asked, and the client never learns of it. */
  | { readonly kind: "lose-answer" }
  /** The request waits before the server has it, or its answer before the client has it, until `release`. */
  | { readonly kind: "hold"; readonly what: "request" | "answer" }
  /** The answer's body ends after so many bytes, and the connection with it. */
  | { readonly kind: "truncate"; readonly bytes: number }
  /** The answer's body comes in pieces, with a pause before each. */
  | { readonly kind: "slow"; readonly pieceBytes: number; readonly pauseMs: number };

export interface TroubleRule {
  readonly method?: string;
  /** Of path and query, as sent. */
  readonly path?: RegExp;
  /** How many of the requests that match, from now on; all when absent. */
  readonly times?: number;
  /** How many of those with the same method and path: a client that tries more often is served in the end. */
  readonly timesEach?: number;
  readonly trouble: Trouble;
}

/** How often a rule has been applied. */
export interface Troubled {
  readonly count: number;
  /** Lets go what is held. */
  release(): void;
}

/** A proxy before an S3 server; headers pass as they are, so that signatures hold. */
export interface HttpProxy extends AsyncDisposable {
  readonly port: number;
  /** All requests so far: method, path and query. */
  readonly requests: readonly string[];
  add(rule: TroubleRule): Troubled;
  /** Forgets all rules. */
  clear(): void;
}

interface ActiveRule extends TroubleRule {
  count: number;
  readonly counts: Map<string, number>;
  readonly released: Promise<void>;
}

export async function openHttpProxy(target: { readonly host: string; readonly port: number }): Promise<HttpProxy> {
  const requests: string[] = [];
  let rules: ActiveRule[] = [];
  const ruleFor = ({ method = "", url = "" }: IncomingMessage): ActiveRule | undefined => {
    const name = `${method} ${url}`;
    const rule = rules.find(
      (each) =>
        each.count < (each.times ?? Number.POSITIVE_INFINITY) &&
        (each.counts.get(name) ?? 0) < (each.timesEach ?? Number.POSITIVE_INFINITY) &&
        (each.method === undefined || each.method === method) &&
        (each.path === undefined || each.path.test(url)),
    );
    if (rule === undefined) return undefined;
    rule.count += 1;
    rule.counts.set(name, (rule.counts.get(name) ?? 0) + 1);
    return rule;
  };
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const rule = ruleFor(request);
    if (rule?.trouble.kind === "answer") {
      refuse(request, response, rule.trouble);
    } else if (rule?.trouble.kind === "hold" && rule.trouble.what === "request") {
      void rule.released.then(() => {
        if (!response.destroyed) pass(request, response, { target, rule });
      });
    } else {
      pass(request, response, { target, rule });
    }
  });
  // A client decides how long it waits.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    add: (rule) => {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const active = { ...rule, count: 0, counts: new Map<string, number>(), released, release };
      rules.push(active);
      return active;
    },
    clear: () => {
      rules = [];
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** As S3 refuses: an XML document, after the request was read. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code }: { readonly status: number; readonly code: string },
): void {
  request.resume().once("end", () => {
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Reduce your request rate.</Message></Error>`;
    response.writeHead(status, { "content-type": "application/xml", "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  });
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { target, rule }: { readonly target: { host: string; port: number }; readonly rule: ActiveRule | undefined },
): void {
  const trouble = rule?.trouble;
  const upstream = httpRequest({
    ...target,
    agent: false,
    method: request.method,
    path: request.url,
    headers: withoutConnection(request.rawHeaders),
    setHost: false,
  });
  const give = (): void => {
    upstream.destroy();
    response.destroy();
  };
  upstream.on("error", give);
  request.on("error", give);
  response.on("close", () => upstream.destroy());
  const deliver = (answer: IncomingMessage): void => {
    if (response.destroyed) return;
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutConnection(answer.rawHeaders));
    if (trouble?.kind === "truncate") void truncated(answer, response, trouble.bytes).catch(give);
    else if (trouble?.kind === "slow") void slowly(answer, response, trouble).catch(give);
    else answer.pipe(response);
  };
  upstream.on("response", (answer) => {
    answer.on("error", give);
    if (trouble?.kind === "lose-answer") {
      answer.resume().once("end", () => response.destroy());
      return;
    }
    if (trouble?.kind === "hold" && trouble.what === "answer") {
      void rule?.released.then(() => deliver(answer));
      return;
    }
    deliver(answer);
  });
  request.pipe(upstream);
}

/** What holds between two hops alone; as Node takes raw headers: names and values by turns. */
function withoutConnection(raw: readonly string[]): string[] {
  const hop = new Set(["connection", "keep-alive"]);
  return raw.filter((_, index) => !hop.has((raw[index - (index % 2)] ?? "").toLowerCase()));
}

async function truncated(answer: IncomingMessage, response: ServerResponse, bytes: number): Promise<void> {
  let left = bytes;
  for await (const chunk of answer) {
    const part = (chunk as Buffer).subarray(0, left);
    left -= part.length;
    await new Promise<void>((resolve) => response.write(part, () => resolve()));
    if (left === 0) break;
  }
  response.destroy();
}

async function slowly(
  answer: IncomingMessage,
  response: ServerResponse,
  { pieceBytes, pauseMs }: { readonly pieceBytes: number; readonly pauseMs: number },
): Promise<void> {
  for await (const chunk of answer) {
    const bytes = chunk as Buffer;
    for (let start = 0; start < bytes.length; start += pieceBytes) {
      await setTimeout(pauseMs);
      if (response.destroyed) return;
      response.write(bytes.subarray(start, start + pieceBytes));
    }
  }
  response.end();
}
