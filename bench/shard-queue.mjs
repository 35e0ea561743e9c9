import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QueueEvents } from "bullmq";
import { imageJobId, readModel, retryPolicy } from "../apps/contract/dist/index.js";
import { addJobs } from "../apps/producer/dist/add-jobs.js";
import { encodeOnnx } from "../packages/core/dist/index.js";
import { timed, withResource } from "./measure.mjs";

/** What `settings` of a job and of `explainImage` have in common here: nothing is left out, nothing is measured first. */
export const settings = { methods: ["grad-cam"], targets: ["top1"], tissue: "off", precision: "float32" };

/** Writes a network as workers read it; gives it as they have it. */
export async function writeModel(path, model) {
  const graph = model.instantiate({ width: 256, height: 256 });
  await writeFile(path, encodeOnnx(graph, { dynamicAxes: true, metadata: {} }));
  return readModel(path, {});
}

/** Seconds from adding an image's job to the news that it is completed. */
export async function throughQueue(open, { image, model, out, settings: given }) {
  const { size, mtimeMs } = await stat(image.path);
  const job = {
    version: 1,
    image: { uri: image.uri, key: image.key, etag: String(mtimeMs), bytes: size },
    model: { uri: model.uri, sha256: model.model.sha256 },
    out,
    settings: given,
  };
  const { host, port } = open.redis.options;
  const events = new QueueEvents(open.queue.name, { connection: { host, port } });
  return withResource({ [Symbol.asyncDispose]: () => events.close() }, async () => {
    await events.waitUntilReady();
    const { seconds } = await timed(async () => {
      await addJobs(open, [job], { attempts: retryPolicy.attempts });
      await (await open.queue.getJob(imageJobId(job))).waitUntilFinished(events);
    });
    return seconds;
  });
}

/** The hashes of a run's outputs below a folder with one run. */
export async function outputHashes(out) {
  const names = await readdir(out, { recursive: true });
  const [manifest] = names.filter((name) => name.endsWith("manifest.json"));
  const { outputs } = JSON.parse(await readFile(join(out, manifest), "utf8"));
  return outputs.map(({ name, sha256 }) => `${name} ${sha256}`).join("\n");
}
