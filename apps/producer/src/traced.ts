import { failureOf } from "@slidelight/contract";
import type { TraceAttributes, TraceSpan, Tracing } from "@slidelight/contract";
import type { ImageCounts } from "./add-images.ts";

export interface TracedOptions {
  readonly name: string;
  readonly attributes: TraceAttributes;
}

/** Adds images within a span of its own, which tells what became of them. */
export async function traced(
  tracing: Tracing,
  { name, attributes }: TracedOptions,
  work: (span: TraceSpan) => Promise<ImageCounts>,
): Promise<ImageCounts> {
  const span = tracing.span(name, { kind: "internal", attributes });
  try {
    const counts = await work(span);
    span.set(countAttributes(counts));
    span.end();
    return counts;
  } catch (error) {
    span.end(failureOf(error));
    throw error;
  }
}

export function countAttributes(counts: ImageCounts): TraceAttributes {
  return Object.fromEntries(Object.entries(counts).map(([outcome, count]) => [`slidelight.images.${outcome}`, count]));
}
