import type { Failure } from "./failure.ts";
import type { Environment } from "./options.ts";

export type TraceAttributes = Readonly<Record<string, string | number | boolean | string[]>>;

/** Something that takes time, within a trace. All of it does nothing while traces are off. */
export interface TraceSpan {
  /** For lines of the log, by the names that OpenTelemetry gives them; empty when traces are off. */
  readonly ids: { readonly trace_id?: string; readonly span_id?: string };
  /** For whoever goes on elsewhere: W3C trace context, as JSON. `undefined` when traces are off. */
  readonly carrier: string | undefined;
  set(attributes: TraceAttributes): void;
  /** A part of it that ends now. */
  part(
    name: string,
    part: { readonly seconds: number; readonly attributes?: TraceAttributes; readonly failure?: Failure },
  ): void;
  end(failure?: Failure): void;
}

export interface SpanOptions {
  /** `producer`: puts something into a queue; `consumer`: takes it from there. */
  readonly kind: "internal" | "producer" | "consumer";
  /** The carrier of the span that this one belongs to; without it, it begins a trace. */
  readonly parent?: string | undefined;
  /** The carrier of a span in another trace that has to do with it. */
  readonly link?: string | undefined;
  readonly attributes?: TraceAttributes;
}

export interface Tracing extends AsyncDisposable {
  readonly on: boolean;
  span(name: string, options: SpanOptions): TraceSpan;
  /** Waits a moment for what has ended to be sent, so that nothing is dropped where spans come fast. */
  flush(): Promise<void>;
}

export interface TracingOptions {
  readonly environment: Environment;
  /** Unless OTEL_SERVICE_NAME says otherwise. */
  readonly service: string;
  /** Tells one process of the service from the others. */
  readonly instance: string;
  /** Called for what is wrong with the variables, and once if the receiver does not take the traces. */
  readonly warn: (why: string) => void;
}

export const noSpan: TraceSpan = {
  ids: {},
  carrier: undefined,
  set: () => undefined,
  part: () => undefined,
  end: () => undefined,
};

const off: Tracing = {
  on: false,
  span: () => noSpan,
  flush: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

/**
 * Traces of what the queue does, when OpenTelemetry's own variables name where they go; else nothing is loaded, nothing is kept and
 * nothing is sent. What is wrong with the variables or with the receiver is told once, and disturbs nobody.
 */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { environment, warn } = options;
  const address = endpointOf(environment);
  if (address === undefined) return off;
  const protocol = protocolOf(environment);
  if (!URL.canParse(address) || protocol === undefined) {
    warn(
      `Traces are off: expected the address of a receiver in OTEL_EXPORTER_OTLP_ENDPOINT and http/protobuf or http/json in OTEL_EXPORTER_OTLP_PROTOCOL, got ${URL.canParse(address) ? "another protocol" : "no address"}.`,
    );
    return off;
  }
  const { startTracing } = await import("./open-telemetry.ts");
  return startTracing({ ...options, address, protocol });
}

/** For the help of commands that trace. */
export const traceHelp =
  "\nTraces go where OTEL_EXPORTER_OTLP_ENDPOINT says, such as http://127.0.0.1:4318; without it there are none (docs/operations.md).";

function endpointOf(environment: Environment): string | undefined {
  const disabled = environment["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true";
  if (disabled || environment["OTEL_TRACES_EXPORTER"]?.trim() === "none") return undefined;
  const named = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? "";
  const address = named === "" ? environment["OTEL_EXPORTER_OTLP_ENDPOINT"] : named;
  return address === "" ? undefined : address;
}

export type TraceProtocol = "http/protobuf" | "http/json";

function protocolOf(environment: Environment): TraceProtocol | undefined {
  const named = environment["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? "";
  const protocol = named === "" ? environment["OTEL_EXPORTER_OTLP_PROTOCOL"] : named;
  if (protocol === undefined || protocol === "" || protocol === "http/protobuf") return "http/protobuf";
  return protocol === "http/json" ? protocol : undefined;
}
