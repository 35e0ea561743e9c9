import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { openStore, parseManifest } from "@slidelight/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { s3Client } from "../packages/core/src/io/s3-client.ts";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import { s3Missing, startS3Server } from "./servers/s3-server.ts";
import { openWorkplace, slidelight, start } from "./slidelight.ts";

const results = z.object({ results: z.array(z.object({ status: z.string(), output: z.string() })) });

describe.skipIf(redisMissing() !== undefined || s3Missing() !== undefined)("an archive in S3", () => {
  test("is enqueued by its prefix, explained by a worker, and found done the next time", async () => {
    await using redis = await startRedisServer();
    await using server = await startS3Server();
    await using work = await openWorkplace();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const s3 = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
    await s3Client(s3).send(new CreateBucketCommand({ Bucket: "archive" }));
    const store = openStore("s3://archive", { s3 });
    await store.putFile("model/unet.onnx", join(work.folder, "model.onnx"));
    await store.putFile("slides/a.png", join(work.folder, "images", "a.png"));
    await store.putFile("slides/Fall 7/größe.png", join(work.folder, "images", "b.png"));
    await store.put("slides/notes.txt", Buffer.from("no image"));

    const env = {
      REDIS_URL: redis.url,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
    const options = { folder: work.folder, env };
    const job = [
      "s3://archive/slides/",
      "--model",
      "s3://archive/model/unet.onnx",
      "--out",
      "s3://archive/maps",
      "--json",
    ];
    const enqueued = await slidelight(["enqueue", ...job], options);
    expect(enqueued.status, enqueued.stderr).toBe(0);
    expect(JSON.parse(enqueued.stdout)).toMatchObject({ added: 2, present: 0, failures: [] });
    await using worker = start(["worker", "--port", "0"], options);
    await worker.line("worker ready");
    expect(await slidelight(["watch", "--until-empty"], options)).toMatchObject({ status: 0 });
    worker.kill("SIGTERM");
    expect(await worker.outcome).toMatchObject({ status: 0 });

    const manifests: string[] = [];
    for await (const { key } of store.list("maps/")) if (key.endsWith("/manifest.json")) manifests.push(key);
    expect(manifests.map((key) => key.replace(/\/[0-9a-f]{32}\//u, "/RUN/")).sort()).toEqual([
      "maps/slides/Fall 7/größe.png/RUN/manifest.json",
      "maps/slides/a.png/RUN/manifest.json",
    ]);
    for (const key of manifests) {
      await using source = await store.open(key);
      const manifest = parseManifest(await source.read({ offset: 0, length: source.size }), key);
      for (const { path, bytes } of manifest.outputs) {
        const output = await store.head(key.replace("manifest.json", path));
        expect(output).toMatchObject({ size: bytes });
      }
    }
    const again = await slidelight(["enqueue", ...job], options);
    expect(JSON.parse(again.stdout)).toMatchObject({ added: 0, present: 2 });
    const explained = results.parse(JSON.parse((await slidelight(["explain", ...job], options)).stdout));
    expect(explained.results.map(({ status }) => status)).toEqual(["skipped", "skipped"]);
  });
});
