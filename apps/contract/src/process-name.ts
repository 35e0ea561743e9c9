import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

/** A name of this process's own, in logs, failure records and traces: its host, and what tells it from others there. */
export function processName(): string {
  return `${hostname()}-${randomUUID().slice(0, 8)}`;
}
