import { availableParallelism } from "node:os";
import { MessageChannel, Worker } from "node:worker_threads";
import { errorOf, faultOf } from "../../errors/fault.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { openCalls } from "../../io/calls.ts";
import { descriptorOf } from "../../io/file-source.ts";
import { threadFile } from "../../io/thread-file.ts";
import { takeUsedBuffer } from "../../io/used-buffers.ts";
import { checkRectangle } from "../images/check-rectangle.ts";
import type { FromThread, OpenedImage, OpenInThread, ToThread } from "./protocol.ts";
import { openTiled } from "./tiled-image.ts";
import type { OpenTiledOptions, ReadTile, TiledImage, TileRequest } from "./tiled-image.ts";

/** Opens images, whose pixels are put together on threads of their own where the machine has cores to spare. */
export interface ImageReaders extends AsyncDisposable {
  /** As `openImage`, for whose errors and owner it is the same; fails, too, when the thread that reads the image dies. */
  open(uri: string, source: ByteSource, options?: OpenTiledOptions): Promise<TiledImage>;
}

/** Cores for each thread: it takes 3.5 ms a megapixel, while those that decode for it take three times as long. */
const coresForThread = 8;
const mostThreads = 4;

/**
 * Reading takes the main thread 3 to 6 ms a megapixel: a file is read in pieces, libvips is called, what it decodes is copied into place and made
 * small for previews, and the garbage is collected. A GPU computes a megapixel in less, and would wait. Local files are read by the thread; the bytes
 * of all else where they were, by whoever opened the source.
 * @param options.threads 0: everything on the caller's thread. Default: one for every eight cores, at most 4.
 */
export function openReaders(options: { readonly threads?: number } = {}): ImageReaders {
  const count = options.threads ?? Math.min(mostThreads, Math.floor(availableParallelism() / coresForThread));
  const threads = Array.from({ length: count }, openThread);
  return {
    open: async (uri, source, openOptions = {}) => {
      const [first, ...others] = threads;
      if (first === undefined) return openTiled(uri, source, openOptions);
      const thread = others.reduce((least, other) => (other.images < least.images ? other : least), first);
      return thread.open(uri, source, openOptions);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
    },
  };
}

interface ReadThread extends ImageReaders {
  /** That are open in it. */
  readonly images: number;
}

/** Started at once, so that it is there when the first image comes, and anew after a crash. */
function openThread(): ReadThread {
  let images = 0;
  const start = (): Worker => {
    const started = new Worker(threadFile("thread", import.meta.url), { name: "read", execArgv: [] });
    started.unref();
    // Its images are told by their ports.
    started.on("error", () => {
      if (worker === started) worker = undefined;
    });
    return started;
  };
  let worker: Worker | undefined = start();
  return {
    get images() {
      return images;
    },
    open: async (uri, source, options = {}) => {
      if (options.signal?.aborted === true) {
        await source[Symbol.asyncDispose]();
        throw options.signal.reason;
      }
      worker ??= start();
      images += 1;
      const closed = (): void => {
        images -= 1;
      };
      return openInThread(worker, uri, source, { ...options, closed });
    },
    [Symbol.asyncDispose]: async () => {
      await worker?.terminate();
    },
  };
}

interface OpenInThreadOptions extends OpenTiledOptions {
  /** Called once the image is closed, or was not opened. */
  readonly closed: () => void;
}

async function openInThread(
  worker: Worker,
  uri: string,
  source: ByteSource,
  { limits, scratch, tolerate, onRead, signal, closed }: OpenInThreadOptions,
): Promise<TiledImage> {
  const { port1: port, port2 } = new MessageChannel();
  const opened = openCalls<OpenedImage>();
  const reads = openCalls<ReadTile>();
  const ended = new Promise<void>((resolve) => port.once("close", resolve));
  void ended.then(() => {
    const died = new Error(`Reading ${uri} failed: the thread that reads it has ended. Try it again.`);
    opened.failAll(died);
    reads.failAll(died);
  });
  const say = (message: ToThread, transfer: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, [...transfer]);
  };
  const close = async (): Promise<void> => {
    say({ kind: "close" });
    await ended;
    closed();
    await source[Symbol.asyncDispose]();
  };
  const descriptor = descriptorOf(source);
  const answers = answersOf(source, say);
  port.on("message", (message: FromThread) => {
    if (message.kind === "opened") opened.answer(opening, message.image);
    else if (message.kind === "refused") opened.fail(opening, errorOf(message.fault));
    else if (message.kind === "tile") reads.answer(message.id, message.tile);
    else if (message.kind === "no-tile") reads.fail(message.id, errorOf(message.fault));
    else if (message.kind === "bytes-read") onRead?.(message.bytes);
    else if (message.kind === "bad") tolerate?.(message.part);
    else if (message.kind === "closed") port.close();
    else answers(message);
  });
  try {
    const request: OpenInThread = {
      port: port2,
      uri,
      source: { uri: source.uri, size: source.size, etag: source.etag },
      ...(descriptor === undefined ? {} : { descriptor }),
      ...(limits === undefined ? {} : { limits }),
      ...(scratch === undefined ? {} : { scratch }),
      tolerates: tolerate !== undefined,
    };
    const image = await opened.ask(() => worker.postMessage(request, [port2]), { signal, withdraw: () => undefined });
    return threadedImage({ uri, source, image, say, reads, close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** The number of the only question of its kind. */
const opening = 1;

interface ThreadedImage {
  readonly uri: string;
  readonly source: ByteSource;
  readonly image: OpenedImage;
  readonly say: (message: ToThread, transfer?: readonly ArrayBuffer[]) => void;
  readonly reads: ReturnType<typeof openCalls<ReadTile>>;
  readonly close: () => Promise<void>;
}

function threadedImage({ uri, source, image, say, reads, close }: ThreadedImage): TiledImage {
  const sampleBytes = image.samples === "uint16" ? 2 : 1;
  const readTile = async (tile: TileRequest, { signal }: Abortable = {}): Promise<ReadTile> => {
    signal?.throwIfAborted();
    const { width, height } = tile.rectangle;
    // What is done with is given away here; fresh memory is touched there.
    const memory = takeUsedBuffer(width * height * 3 * sampleBytes);
    const ask = (id: number): void =>
      memory === undefined ? say({ kind: "read", id, tile }) : say({ kind: "read", id, tile, memory }, [memory]);
    return reads.ask(ask, {
      signal,
      withdraw: (id) => say({ kind: "withdraw", id }),
    });
  };
  return {
    ...image,
    uri,
    etag: source.etag,
    size: source.size,
    read: async (level, rectangle, options) => {
      checkRectangle(image.levels, level, rectangle);
      return (await readTile({ level, rectangle }, options)).pixels;
    },
    readTile,
    [Symbol.asyncDispose]: close,
  };
}

type Wanting = FromThread & { readonly kind: "want" | "unwant" };

/** Reads the bytes that the thread wants. */
function answersOf(source: ByteSource, say: ThreadedImage["say"]): (message: Wanting) => void {
  const reading = new Map<number, AbortController>();
  const answer = async ({ id, range }: Wanting & { readonly kind: "want" }): Promise<void> => {
    const controller = new AbortController();
    reading.set(id, controller);
    try {
      // A copy: whoever read them may keep them.
      const bytes = new Uint8Array(await source.read(range, { signal: controller.signal }));
      say({ kind: "bytes", id, bytes }, [bytes.buffer]);
    } catch (error) {
      say({ kind: "no-bytes", id, fault: faultOf(error) });
    } finally {
      reading.delete(id);
    }
  };
  return (message) => {
    if (message.kind === "want") void answer(message);
    else reading.get(message.id)?.abort(new Error("The read was withdrawn."));
  };
}
