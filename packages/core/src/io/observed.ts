import type { ByteSource } from "./byte-source.ts";

/** Tells how many bytes each finished read brought. */
export function observed(source: ByteSource, onRead: (bytes: number) => void): ByteSource {
  return {
    uri: source.uri,
    size: source.size,
    etag: source.etag,
    read: async (range, options) => {
      const bytes = await source.read(range, options);
      onRead(bytes.length);
      return bytes;
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
