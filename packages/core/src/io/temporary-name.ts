import { createHash, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { temporaryPrefix } from "./key.ts";
import { isAlive } from "./living-process.ts";

/** Names have no room for a machine's own. */
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

/** A name for a write in progress, which tells whose it is. */
export function temporaryName(): string {
  return `${temporaryPrefix}${host}-${process.pid}-${randomUUID()}`;
}

/** What the name of a write in progress tells of the process that began it. */
export function ownerOf(name: string): "lives" | "is gone" | "unknown" {
  const [, machine, pid] = /^([0-9a-f]{8})-(\d+)-/u.exec(name.slice(temporaryPrefix.length)) ?? [];
  if (machine !== host) return "unknown";
  return isAlive(Number(pid)) ? "lives" : "is gone";
}
