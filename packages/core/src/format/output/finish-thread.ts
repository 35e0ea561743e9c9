import { basename, dirname } from "node:path";
import { parentPort } from "node:worker_threads";
import { assembleMap } from "./assemble-map.ts";
import { describeOutputs, filesUnder } from "./commit.ts";
import type { FinishAnswer, FinishTask, WrittenFiles } from "./finish.ts";
import { writePreview } from "./preview.ts";
import { writeZarr } from "./write-zarr.ts";

async function run(task: FinishTask): Promise<WrittenFiles> {
  if (task.kind === "zarr") {
    await writeZarr(task);
    const name = basename(task.folder);
    const paths = (await filesUnder(task.folder)).map((path) => `${name}/${path}`);
    return describeOutputs(dirname(task.folder), paths);
  }
  await (task.kind === "map" ? assembleMap(task) : writePreview(task));
  return describeOutputs(dirname(task.path), [basename(task.path)]);
}

parentPort?.on("message", (task: FinishTask) => {
  const answer = (message: FinishAnswer): void => parentPort?.postMessage(message);
  run(task).then(
    (written) => answer({ ok: true, written }),
    (error: unknown) => answer({ ok: false, message: error instanceof Error ? error.message : String(error) }),
  );
});
