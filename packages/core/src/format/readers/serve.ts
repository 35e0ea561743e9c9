import { setMaxListeners } from "node:events";
import { errorOf, faultOf } from "../../errors/fault.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { openCalls } from "../../io/calls.ts";
import { fileOfThread } from "../../io/file-source.ts";
import { transferList } from "../../io/transfer.ts";
import { giveBuffers } from "../../io/used-buffers.ts";
import type { FromThread, OpenInThread, ToThread } from "./protocol.ts";
import { openTiled } from "./tiled-image.ts";
import type { ReadTile } from "./tiled-image.ts";

/** The thread's side of one image: opens it, answers reads until it is told to close, and meanwhile reads the file, or asks for its bytes. */
export async function serveImage(request: OpenInThread): Promise<void> {
  const { port, uri, source, descriptor, limits, scratch, tolerates } = request;
  const closing = new AbortController();
  const reads = new Map<number, AbortController>();
  const wanted = openCalls<Uint8Array>();
  const say = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, [...transfer]);
  };
  const wantedBytes: ByteSource = {
    ...source,
    read: (range, { signal } = {}) =>
      wanted.ask((id) => say({ kind: "want", id, range }), { signal, withdraw: (id) => say({ kind: "unwant", id }) }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  let bytesRead = 0;
  const tellBytes = (): void => {
    if (bytesRead > 0) say({ kind: "bytes-read", bytes: bytesRead });
    bytesRead = 0;
  };
  const opening = openTiled(uri, descriptor === undefined ? wantedBytes : fileOfThread(descriptor, source), {
    signal: closing.signal,
    onRead: (count) => {
      bytesRead += count;
    },
    ...(limits === undefined ? {} : { limits }),
    ...(scratch === undefined ? {} : { scratch }),
    ...(tolerates ? { tolerate: (part) => say({ kind: "bad", part }) } : {}),
  });
  const read = async (
    { tile, memory }: ToThread & { readonly kind: "read" },
    signal: AbortSignal,
  ): Promise<ReadTile> => {
    const image = await opening;
    // It is the next of its length to be taken.
    if (memory !== undefined) giveBuffers([{ data: new Uint8Array(memory) }]);
    return image.readTile(tile, { signal });
  };
  const answerRead = async (asked: ToThread & { readonly kind: "read" }): Promise<void> => {
    const { id } = asked;
    const controller = new AbortController();
    // Every segment of the file listens to it.
    setMaxListeners(0, controller.signal);
    reads.set(id, controller);
    try {
      const tile = await read(asked, controller.signal);
      say({ kind: "tile", id, tile }, transferList([tile.pixels.data]));
    } catch (error) {
      say({ kind: "no-tile", id, fault: faultOf(error) });
    } finally {
      reads.delete(id);
      tellBytes();
    }
  };
  const close = async (): Promise<void> => {
    closing.abort(new Error("The image was closed."));
    for (const controller of reads.values()) controller.abort(closing.signal.reason);
    wanted.failAll(new Error("The image was closed."));
    await opening.then((image) => image[Symbol.asyncDispose]()).catch(() => undefined);
    tellBytes();
    say({ kind: "closed" });
    port.close();
  };
  port.on("message", (message: ToThread) => {
    if (message.kind === "read") void answerRead(message);
    else if (message.kind === "withdraw") reads.get(message.id)?.abort(new Error("The read was withdrawn."));
    else if (message.kind === "bytes") wanted.answer(message.id, message.bytes);
    else if (message.kind === "no-bytes") wanted.fail(message.id, errorOf(message.fault));
    else void close();
  });
  try {
    const { format, samples, levels, micronsPerPixel } = await opening;
    say({
      kind: "opened",
      image: { format, samples, levels, ...(micronsPerPixel === undefined ? {} : { micronsPerPixel }) },
    });
  } catch (error) {
    say({ kind: "refused", fault: faultOf(error) });
  } finally {
    tellBytes();
  }
}
