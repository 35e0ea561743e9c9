import { Worker } from "node:worker_threads";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { threadFile } from "../../io/thread-file.ts";
import type { AssembleMap } from "./assemble-map.ts";
import type { WritePreview } from "./preview.ts";
import type { WriteZarr } from "./write-zarr.ts";

/** Work that loops over pixels once all tiles are there. */
export type FinishTask = AssembleMap | WriteZarr | WritePreview;

export type FinishAnswer = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface Finisher extends AsyncDisposable {
  /** @throws {SlidelightError} `output-unwritable` with what went wrong; the signal's reason. */
  run(task: FinishTask, options?: Abortable): Promise<void>;
}

/** A worker thread for what comes after the last tile, so that the main thread never loops over pixels. One task at a time. */
export function openFinisher(): Finisher {
  const worker = new Worker(threadFile("finish-thread", import.meta.url), { name: "finish", execArgv: [] });
  worker.unref();
  return {
    run: (task, { signal } = {}) =>
      new Promise<void>((resolve, reject) => {
        const stop = (): void => {
          worker.off("message", answered);
          worker.off("error", crashed);
          signal?.removeEventListener("abort", aborted);
          worker.unref();
        };
        const answered = (answer: FinishAnswer): void => {
          stop();
          if (answer.ok) resolve();
          else reject(unwritable(task, answer.message));
        };
        const crashed = (error: Error): void => {
          stop();
          reject(unwritable(task, error.message, error));
        };
        const aborted = (): void => {
          stop();
          reject(signal?.reason);
        };
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        worker.ref();
        worker.on("message", answered);
        worker.on("error", crashed);
        signal?.addEventListener("abort", aborted);
        worker.postMessage(task);
      }),
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
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
