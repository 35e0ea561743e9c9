import type { ByteSource } from "./byte-source.ts";

/** An object that is in memory already. */
export function memorySource(bytes: Uint8Array, uri: string): ByteSource {
  return {
    uri,
    size: bytes.length,
    etag: "",
    read: async ({ offset, length }) => bytes.subarray(offset, offset + length),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
