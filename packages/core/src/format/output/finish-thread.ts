import { parentPort } from "node:worker_threads";
import { assembleMap } from "./assemble-map.ts";
import type { FinishAnswer, FinishTask } from "./finish.ts";
import { writePreview } from "./preview.ts";
import { writeZarr } from "./write-zarr.ts";

async function run(task: FinishTask): Promise<void> {
  if (task.kind === "map") return assembleMap(task);
  if (task.kind === "zarr") return writeZarr(task);
  return writePreview(task);
}

parentPort?.on("message", (task: FinishTask) => {
  const answer = (message: FinishAnswer): void => parentPort?.postMessage(message);
  run(task).then(
    () => answer({ ok: true }),
    (error: unknown) => answer({ ok: false, message: error instanceof Error ? error.message : String(error) }),
  );
});
