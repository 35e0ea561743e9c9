import { createHash } from "node:crypto";

const known = new WeakMap<ArrayBufferLike, string>();

/** SHA-256 of bytes that never change, in hexadecimal: those that fill their buffer, as weights do, are read once. */
export function digestOfBytes(bytes: Uint8Array): string {
  const digest = known.get(bytes.buffer) ?? createHash("sha256").update(bytes).digest("hex");
  if (bytes.byteLength === bytes.buffer.byteLength) known.set(bytes.buffer, digest);
  return digest;
}
