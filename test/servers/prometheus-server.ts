import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { findBinary, startChild } from "./child-server.ts";
import { freePort } from "./free-port.ts";

const answer = z.object({ status: z.string(), error: z.string().optional(), data: z.unknown() });

const sample = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
});

export type Sample = z.output<typeof sample>;

export interface PrometheusServer extends AsyncDisposable {
  /** What an expression gives now. @throws {Error} with Prometheus' own words when it does not take the expression. */
  query(expression: string): Promise<readonly Sample[]>;
  /** The number of an expression that gives one; `undefined` when it gives none. */
  value(expression: string): Promise<number | undefined>;
  /** Something else of `/api/v1/`. */
  api(path: string): Promise<unknown>;
}

export interface PrometheusOptions {
  /** Ports on this machine, by job. */
  readonly jobs: Readonly<Record<string, readonly number[]>>;
  /** A file of rules. */
  readonly rules: string;
}

/** Why no Prometheus can be had here; `undefined` when one can. */
export function prometheusMissing(): string | undefined {
  return findBinary("prometheus") === undefined ? "no prometheus (apt-get install prometheus)" : undefined;
}

/** A Prometheus of the caller's own, which asks its targets and its rules every second. */
export async function startPrometheus({ jobs, rules }: PrometheusOptions): Promise<PrometheusServer> {
  const binary = findBinary("prometheus");
  if (binary === undefined) throw new Error(`No Prometheus: ${prometheusMissing() ?? ""}.`);
  const folder = await mkdtemp(join(tmpdir(), "slidelight-prometheus-"));
  const configuration = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    scrape_configs: Object.entries(jobs).map(([name, ports]) => ({
      job_name: name,
      static_configs: [{ targets: ports.map((port) => `127.0.0.1:${port}`) }],
    })),
  };
  // JSON is YAML.
  await writeFile(join(folder, "prometheus.yaml"), JSON.stringify(configuration));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const args = ["--config.file=prometheus.yaml", "--storage.tsdb.path=data", `--web.listen-address=${address}`];
  const server = await startChild(binary, args, { port, folder });
  const api = async (path: string): Promise<unknown> => {
    const { status, error, data } = answer.parse(await (await fetch(`http://${address}/api/v1/${path}`)).json());
    if (status !== "success") throw new Error(error ?? `Prometheus answered ${status} to ${path}.`);
    return data;
  };
  const query = async (expression: string): Promise<readonly Sample[]> => {
    const data = z
      .discriminatedUnion("resultType", [
        z.object({ resultType: z.literal("vector"), result: z.array(sample) }),
        z.object({ resultType: z.literal("scalar"), result: sample.shape.value }),
      ])
      .parse(await api(`query?query=${encodeURIComponent(expression)}`));
    return data.resultType === "vector" ? data.result : [{ metric: {}, value: data.result }];
  };
  return {
    query,
    value: async (expression) => {
      const [first] = await query(expression);
      return first === undefined ? undefined : Number(first.value[1]);
    },
    api,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
