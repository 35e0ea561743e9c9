import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { threadFile } from "../../io/thread-file.ts";
import type { AssembleMap } from "./assemble-map.ts";
import type { Manifest } from "./manifest.ts";
import type { WritePreview } from "./preview.ts";
import type { WriteZarr } from "./write-zarr.ts";

/** Work that loops over pixels once all tiles are there. */
export type FinishTask = AssembleMap | WriteZarr | WritePreview;

/** What a task has written, by the paths in its folder, as a manifest lists it. */
export type WrittenFiles = Manifest["outputs"];

export type FinishAnswer =
  | { readonly ok: true; readonly written: WrittenFiles }
  | { readonly ok: false; readonly message: string };

export interface Finisher extends AsyncDisposable {
  /** @throws {SlidelightError} `output-unwritable` with what went wrong; the signal's reason. */
  run(task: FinishTask, options?: Abortable): Promise<WrittenFiles>;
}

/** Cores that are left to others for each thread. */
const coresForThread = 4;
const mostThreads = 4;

/**
 * Worker threads for what comes after the last tile, so that the main thread never loops over pixels, nor over the bytes of files: one for every four cores. Each
 * does one task after the other, of whichever image.
 */
export function openFinisher(): Finisher {
  const count = Math.min(mostThreads, Math.max(1, Math.floor(availableParallelism() / coresForThread)));
  const threads = Array.from({ length: count }, () => ({ thread: openThread(), tasks: 0 }));
  return {
    run: async (task, options = {}) => {
      const least = threads.reduce((one, other) => (other.tasks < one.tasks ? other : one));
      least.tasks += 1;
      try {
        return await least.thread.run(task, options);
      } finally {
        least.tasks -= 1;
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map(({ thread }) => thread[Symbol.asyncDispose]()));
    },
  };
}

/**
 * A thread is started at once, so that it is there when the first image is computed, and anew after a task that was given up or
 * crashed: what it was doing ends with it.
 */
function openThread(): Finisher {
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
  const perform = async (task: FinishTask, { signal }: Abortable): Promise<WrittenFiles> => {
    signal?.throwIfAborted();
    try {
      const answer = await answerOf(start(), task, signal);
      if (answer.ok) return answer.written;
      throw unwritable(task, answer.message);
    } catch (error) {
      if (error instanceof SlidelightError) throw error;
      await end();
      if (signal?.aborted === true) throw signal.reason;
      throw unwritable(task, error instanceof Error ? error.message : String(error), error);
    }
  };
  start();
  return {
    run: (task, options = {}) => {
      const done = tail.then(() => perform(task, options));
      tail = done.catch(() => undefined);
      return done;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** What the thread says of a task. @throws What it died of; the signal's reason when it aborts. */
function answerOf(worker: Worker, task: FinishTask, signal: AbortSignal | undefined): Promise<FinishAnswer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      worker.off("message", answered);
      worker.off("error", crashed);
      signal?.removeEventListener("abort", aborted);
      worker.unref();
    };
    const answered = (answer: FinishAnswer): void => {
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
    worker.postMessage(task);
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
