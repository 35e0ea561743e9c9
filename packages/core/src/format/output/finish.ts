import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { threadFile } from "../../io/thread-file.ts";
import { transferList } from "../../io/transfer.ts";
import type { AssembleMap } from "./assemble-map.ts";
import type { Manifest } from "./manifest.ts";
import type { WritePreview } from "./preview.ts";
import type { WriteZarr } from "./write-zarr.ts";

/** Work that loops over pixels once all tiles are there. */
export type FinishTask = AssembleMap | WriteZarr | WritePreview;

/** What a task has written, by the paths in its folder, as a manifest lists it. */
export type WrittenFiles = Manifest["outputs"];

/** Samples of a tile's core that are to be written into a file that is there. */
export interface KeepSamples {
  readonly kind: "samples";
  readonly path: string;
  /** In bytes. */
  readonly position: number;
  /** Of the window. */
  readonly data: Uint16Array | Float32Array;
  readonly window: Rectangle;
  /** The part of the window that is written. */
  readonly core: Rectangle;
}

/** What comes back of them. */
export interface KeptSamples {
  /** CRC-32 of what was written. */
  readonly checksum: number;
  /** The same memory, whatever it holds now. */
  readonly data: Uint16Array | Float32Array;
}

export type ThreadTask = FinishTask | KeepSamples;

export type ThreadAnswer =
  | { readonly kind: "finished"; readonly written: WrittenFiles }
  | { readonly kind: "kept"; readonly kept: KeptSamples }
  | { readonly kind: "failed"; readonly message: string };

export interface Finisher extends AsyncDisposable {
  /** @throws {SlidelightError} `output-unwritable` with what went wrong; the signal's reason. */
  run(task: FinishTask, options?: Abortable): Promise<WrittenFiles>;
  /**
   * Writes a core's samples, and tells their checksum. **Takes over their buffer**, and gives it back. It waits for no `run`.
   * @throws {Error} with what went wrong.
   */
  keep(samples: Omit<KeepSamples, "kind">): Promise<KeptSamples>;
}

/** Cores that are left to others for each thread. */
const coresForThread = 4;
const mostThreads = 4;

/**
 * Worker threads for what loops over pixels and the bytes of files, so that the main thread never does: one for every four cores for
 * what comes after the last tile, and as many for the tiles before. Each does one task after the other, of whichever image.
 */
export function openFinisher(): Finisher {
  const count = Math.min(mostThreads, Math.max(1, Math.floor(availableParallelism() / coresForThread)));
  const finishing = openThreads(count);
  // So that they are there when the first image is computed.
  finishing.start();
  const keeping = openThreads(count);
  return {
    run: async (task, { signal } = {}) => {
      try {
        const answer = await finishing.ask(task, { signal });
        if (answer.kind === "finished") return answer.written;
        throw unwritable(task, answer.kind === "failed" ? answer.message : `the thread answered "${answer.kind}"`);
      } catch (error) {
        if (error instanceof SlidelightError || signal?.aborted === true) throw error;
        throw unwritable(task, messageOf(error), error);
      }
    },
    keep: async (samples) => {
      const task = { kind: "samples", ...samples } as const;
      const answer = await keeping.ask(task, { transfer: transferList([samples.data]) });
      if (answer.kind === "kept") return answer.kept;
      throw new Error(answer.kind === "failed" ? answer.message : `The thread answered "${answer.kind}".`);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([finishing[Symbol.asyncDispose](), keeping[Symbol.asyncDispose]()]);
    },
  };
}

interface AskOptions extends Abortable {
  /** Buffers that are handed over rather than copied. */
  readonly transfer?: readonly ArrayBuffer[];
}

interface Threads extends AsyncDisposable {
  /** Starts those that are not there. */
  start(): void;
  /** @throws What the thread died of; the signal's reason. */
  ask(task: ThreadTask, options: AskOptions): Promise<ThreadAnswer>;
}

/** Each task goes to the thread that has fewest. */
function openThreads(count: number): Threads {
  const threads = Array.from({ length: count }, () => ({ thread: openThread(), tasks: 0 }));
  return {
    start: () => {
      for (const { thread } of threads) thread.start();
    },
    ask: async (task, options) => {
      const least = threads.reduce((one, other) => (other.tasks < one.tasks ? other : one));
      least.tasks += 1;
      try {
        return await least.thread.ask(task, options);
      } finally {
        least.tasks -= 1;
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map(({ thread }) => thread[Symbol.asyncDispose]()));
    },
  };
}

/** A thread, started with its first task at the latest, and anew after one that was given up or crashed: what it was doing ends with it. */
function openThread(): Threads {
  let worker: Worker | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  const end = async (): Promise<void> => {
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  };
  const start = (): Worker => {
    if (worker !== undefined) return worker;
    const started = new Worker(threadFile("finish-thread", import.meta.url), { name: "finish", execArgv: [] });
    started.unref();
    // Whoever has given it a task is told too.
    started.on("error", () => {
      if (worker === started) worker = undefined;
    });
    worker = started;
    return started;
  };
  const perform = async (task: ThreadTask, options: AskOptions): Promise<ThreadAnswer> => {
    const { signal } = options;
    signal?.throwIfAborted();
    try {
      return await answerOf(start(), task, options);
    } catch (error) {
      await end();
      throw signal?.aborted === true ? signal.reason : error;
    }
  };
  return {
    start: () => void start(),
    ask: (task, options) => {
      const done = tail.then(() => perform(task, options));
      tail = done.catch(() => undefined);
      return done;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** What the thread says of a task. @throws What it died of; the signal's reason when it aborts. */
function answerOf(worker: Worker, task: ThreadTask, { signal, transfer = [] }: AskOptions): Promise<ThreadAnswer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      worker.off("message", answered);
      worker.off("error", crashed);
      signal?.removeEventListener("abort", aborted);
      worker.unref();
    };
    const answered = (answer: ThreadAnswer): void => {
      stop();
      resolve(answer);
    };
    const crashed = (error: Error): void => {
      stop();
      reject(error);
    };
    const aborted = (): void => {
      stop();
      reject(signal?.reason);
    };
    worker.ref();
    worker.on("message", answered);
    worker.on("error", crashed);
    signal?.addEventListener("abort", aborted);
    worker.postMessage(task, [...transfer]);
  });
}

const names: { readonly [K in FinishTask["kind"]]: string } = {
  map: "map.tif",
  zarr: "map.zarr",
  preview: "preview.jpg",
};

function unwritable(task: FinishTask, message: string, cause?: unknown): SlidelightError {
  return new SlidelightError(
    "output-unwritable",
    `Writing ${names[task.kind]}: ${message}. Is there space left in the scratch folder?`,
    { cause },
  );
}
