// Loaded only when traces are on: nothing else may import OpenTelemetry.
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Context, Span } from "@opentelemetry/api";
import { ExportResultCode, setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import { hostname } from "node:os";
import { z } from "zod";
import type { Failure } from "./failure.ts";
import { within } from "./patience.ts";
import { redactedUrl } from "./queue-options.ts";
import type { SpanOptions, TraceProtocol, TraceSpan, Tracing, TracingOptions } from "./tracing.ts";

/** So many spans are sent before more are made; the SDK drops what comes above 2,048. */
const flushSpans = 1000;
/** How long the work waits for that. */
const flushMs = 2000;
/** A process that ends takes no longer to send what is left: its end is awaited. */
const lastMs = 2000;
/** A receiver that accepts and does not answer would hold the process for ten seconds more. */
const leaveMs = 500;

const kinds: Readonly<Record<SpanOptions["kind"], SpanKind>> = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const exporters = {
  "http/protobuf": () => new ProtobufExporter(),
  "http/json": () => new JsonExporter(),
} as const satisfies Readonly<Record<TraceProtocol, () => SpanExporter>>;

interface StartOptions extends TracingOptions {
  readonly address: string;
  readonly protocol: TraceProtocol;
}

/** The SDK as its variables say: sampler, limits, batches, headers, certificates, timeouts. */
export function startTracing({ service, instance, warn, address, protocol }: StartOptions): Tracing {
  const receiver = watched(exporters[protocol](), `${redactedUrl(address)} (${protocol})`, warn);
  const own = resourceFromAttributes({
    "service.name": service,
    "service.instance.id": instance,
    "host.name": hostname(),
  });
  // What is wrong with the variables is told by the SDK while it starts.
  diag.setLogger(telling(warn), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const provider = new BasicTracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(receiver.exporter)],
  });
  diag.disable();
  // What the receiver does not take is told by whoever watches it, once.
  setGlobalErrorHandler(() => undefined);
  const tracer = provider.getTracer("slidelight");
  let begun = 0;
  const open = (name: string, { kind, parent, link, attributes = {} }: SpanOptions): TraceSpan => {
    begun += 1;
    const startMs = Date.now();
    const linked = trace.getSpanContext(contextOf(link));
    const options = {
      kind: kinds[kind],
      attributes: { ...attributes },
      startTime: startMs,
      ...(linked === undefined ? {} : { links: [{ context: linked }] }),
    };
    const from = contextOf(parent);
    const span = tracer.startSpan(name, options, from);
    const within = trace.setSpan(from, span);
    const { traceId, spanId } = span.spanContext();
    return {
      ids: { trace_id: traceId, span_id: spanId },
      carrier: carrierOf(within),
      set: (more) => void span.setAttributes({ ...more }),
      part: (label, { seconds, attributes: own = {}, failure }) => {
        const endMs = Date.now();
        const startTime = Math.max(startMs, endMs - seconds * 1000);
        const child = tracer.startSpan(label, { attributes: { ...own }, startTime }, within);
        finish(child, endMs, failure);
      },
      end: (failure) => finish(span, Date.now(), failure),
    };
  };
  return {
    on: true,
    span: open,
    flush: async () => {
      if (begun < flushSpans || receiver.failing()) return;
      begun = 0;
      await within(flushMs, provider.forceFlush());
    },
    [Symbol.asyncDispose]: async () => {
      const ended = provider.shutdown().then(
        () => true,
        () => true,
      );
      if ((await within(lastMs, ended)) === undefined) setTimeout(() => process.exit(), leaveMs).unref();
    },
  };
}

function finish(span: Span, endMs: number, failure: Failure | undefined): void {
  if (failure !== undefined) {
    const { code, message } = failure;
    span.setAttribute("error.type", code);
    span.recordException({ name: code, message }, endMs);
    span.setStatus({ code: SpanStatusCode.ERROR, message: `[${code}] ${message}` });
  }
  span.end(endMs);
}

const propagator = new W3CTraceContextPropagator();
const carried = z.record(z.string(), z.string());

function carrierOf(context: Context): string {
  const carrier: Record<string, string> = {};
  propagator.inject(context, carrier, defaultTextMapSetter);
  return JSON.stringify(carrier);
}

/** Of what is no trace context, the root: then a trace begins. */
function contextOf(carrier: string | undefined): Context {
  if (carrier === undefined) return ROOT_CONTEXT;
  try {
    return propagator.extract(ROOT_CONTEXT, carried.parse(JSON.parse(carrier)), defaultTextMapGetter);
  } catch {
    return ROOT_CONTEXT;
  }
}

/** An exporter that tells the first failure, and whether the last export failed. */
function watched(exporter: SpanExporter, name: string, warn: (why: string) => void) {
  let failing = false;
  let told = false;
  const watching: SpanExporter = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        failing = result.code !== ExportResultCode.SUCCESS;
        if (failing && !told) {
          told = true;
          warn(
            `Traces are lost: ${name} does not take them: ${reasonOf(result.error)}. The work goes on without them.`,
          );
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => {
      await exporter.forceFlush?.();
    },
  };
  return { exporter: watching, failing: () => failing };
}

function reasonOf(error: Error | undefined): string {
  if (error === undefined) return "no reason was given";
  if (error.message !== "") return error.message;
  // Attempts at several addresses have no message together.
  return error instanceof AggregateError ? error.errors.map(String).join(", ") : error.name;
}

function telling(warn: (why: string) => void) {
  const say = (message: string): void => warn(`Traces: ${message}`);
  const nothing = (): void => undefined;
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
}
