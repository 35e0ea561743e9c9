import { closeSync, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parentPort } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { messageOf } from "../../errors/message-of.ts";
import { transferList } from "../../io/transfer.ts";
import { writeAt } from "../write-fully.ts";
import { assembleMap } from "./assemble-map.ts";
import { describeOutputs, filesUnder } from "./commit.ts";
import { cutSamples } from "./cut-samples.ts";
import type { FinishTask, KeepSamples, KeptSamples, ThreadAnswer, ThreadTask, WrittenFiles } from "./finish.ts";
import { writePreview } from "./preview.ts";
import { writeZarr } from "./write-zarr.ts";

async function finish(task: FinishTask): Promise<WrittenFiles> {
  if (task.kind === "zarr") {
    await writeZarr(task);
    const name = basename(task.folder);
    const paths = (await filesUnder(task.folder)).map((path) => `${name}/${path}`);
    return describeOutputs(dirname(task.folder), paths);
  }
  await (task.kind === "map" ? assembleMap(task) : writePreview(task));
  return describeOutputs(dirname(task.path), [basename(task.path)]);
}

function keep({ path, position, data, window, core }: KeepSamples): KeptSamples {
  const own = cutSamples(data, window, core);
  const bytes = new Uint8Array(own.buffer, own.byteOffset, own.byteLength);
  const descriptor = openSync(path, "r+");
  try {
    writeAt(descriptor, bytes, position);
  } finally {
    closeSync(descriptor);
  }
  return { checksum: crc32(bytes), data };
}

async function answerTo(task: ThreadTask): Promise<ThreadAnswer> {
  try {
    if (task.kind === "samples") return { kind: "kept", kept: keep(task) };
    return { kind: "finished", written: await finish(task) };
  } catch (error) {
    return { kind: "failed", message: messageOf(error) };
  }
}

async function perform(task: ThreadTask): Promise<void> {
  const answer = await answerTo(task);
  parentPort?.postMessage(answer, answer.kind === "kept" ? transferList([answer.kept.data]) : []);
}

parentPort?.on("message", (task: ThreadTask) => void perform(task));
