import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";

const value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z
    .object({ arrayValue: z.object({ values: z.array(z.object({ stringValue: z.string() })).default([]) }) })
    .transform(({ arrayValue }) => arrayValue.values.map(({ stringValue }) => stringValue)),
]);

const attributes = z
  .array(z.object({ key: z.string(), value }))
  .default([])
  .transform((list) => Object.fromEntries(list.map((entry) => [entry.key, entry.value])));

const spanSchema = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/u),
  spanId: z.string().regex(/^[0-9a-f]{16}$/u),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  attributes,
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
  status: z.object({ code: z.number().default(0), message: z.string().default("") }),
});

/** An export request of OTLP/HTTP in JSON. */
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

export type ReceivedSpan = z.output<typeof spanSchema> & {
  readonly resource: z.output<typeof attributes>;
};

export interface TraceReceiver extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  readonly requests: readonly { readonly path: string; readonly type: string; readonly bytes: number }[];
  /** What it answers from now on; `hang`: nothing. */
  answer: number | "hang";
}

/** Takes traces over OTLP/HTTP, and keeps what comes as JSON. */
export async function openTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = [];
  const faults: unknown[] = [];
  const requests: { readonly path: string; readonly type: string; readonly bytes: number }[] = [];
  let answer: TraceReceiver["answer"] = 200;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const body = Buffer.concat(parts);
    const type = request.headers["content-type"] ?? "";
    requests.push({ path: request.url ?? "", type, bytes: body.length });
    if (answer === "hang") return;
    if (answer === 200 && type === "application/json") {
      for (const { resource, scopeSpans } of exportSchema.parse(JSON.parse(body.toString())).resourceSpans) {
        const received = scopeSpans.flatMap((scope) => scope.spans);
        spans.push(...received.map((span) => ({ ...span, resource: resource.attributes })));
      }
    }
    response.writeHead(answer, { "content-type": type }).end(type === "application/json" ? "{}" : undefined);
  };
  const server = createServer((request, response) => {
    take(request, response).catch((error: unknown) => {
      faults.push(error);
      response.writeHead(400).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new TypeError("A listening server has a port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    requests,
    get answer() {
      return answer;
    },
    set answer(status) {
      answer = status;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      // What it could not read.
      if (faults.length > 0) throw faults[0];
    },
  };
}
