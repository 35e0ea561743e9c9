/**
 * The buffers that can be handed to another thread: those that one array has for itself. The others are copied, with
 * all of their buffer.
 */
export function transferList(arrays: Iterable<ArrayBufferView>): readonly ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of arrays) {
    if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffers.add(buffer);
  }
  return [...buffers];
}
