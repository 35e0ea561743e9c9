import { createServer } from "node:http";
import { SlidelightError } from "@slidelight/core/request";

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

export interface HealthOptions {
  /** 0 for a free one. */
  readonly port: number;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Why no job can be taken now; `undefined` when one can. */
  readonly notReady: () => Promise<string | undefined>;
}

/**
 * `/healthz`: the event loop turns. `/readyz`: jobs can be taken. `/metrics`: Prometheus.
 * @throws {SlidelightError} `usage` when the port is taken.
 */
export async function openHealthServer({ port, metrics, notReady }: HealthOptions): Promise<HealthServer> {
  const answer = async (
    path: string,
  ): Promise<{ readonly status: number; readonly body: string; readonly type?: string }> => {
    if (path === "/healthz") return { status: 200, body: "ok\n" };
    if (path === "/readyz") {
      const reason = await notReady();
      return reason === undefined ? { status: 200, body: "ready\n" } : { status: 503, body: `${reason}\n` };
    }
    if (path === "/metrics") return { status: 200, body: await metrics.text(), type: metrics.contentType };
    return { status: 404, body: "There are /healthz, /readyz and /metrics.\n" };
  };
  const server = createServer((request, response) => {
    answer((request.url ?? "/").split("?")[0] ?? "/").then(
      ({ status, body, type = "text/plain; charset=utf-8" }) => {
        response.writeHead(status, { "content-type": type }).end(body);
      },
      (error: unknown) => {
        response.writeHead(503, { "content-type": "text/plain; charset=utf-8" }).end(`${String(error)}\n`);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new SlidelightError(
          "usage",
          `Listening on port ${port} failed: ${error.message}. Choose another --port, or 0 for a free one.`,
          {
            cause: error,
          },
        ),
      );
    });
    server.listen(port, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
