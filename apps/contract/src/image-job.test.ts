import { SlidelightError } from "@slidelight/core";
import { expect, test } from "vitest";
import { failureCodes } from "./failure.ts";
import { failedReason, imageJobId, imageJobPayload, parseFailedReason, parseImageJob } from "./image-job.ts";
import type { ImageJob } from "./image-job.ts";
import { imageQueueName, shardQueueName } from "./queue-names.ts";

const job: ImageJob = {
  image: { uri: "s3://slides/a.svs", key: "a.svs", etag: "1-2", bytes: 5 },
  model: { uri: "/models/unet.onnx", sha256: "ab" },
  out: "s3://maps/nightly",
  settings: { methods: ["grad-cam"], targets: ["top1"], tissue: "auto" },
};

test("a payload survives the queue; one of a later release is told from one that is wrong", () => {
  const payload = imageJobPayload(job);
  expect(parseImageJob(JSON.parse(JSON.stringify(payload)))).toEqual(job);
  const codeOf = (data: unknown): unknown => {
    try {
      return parseImageJob(data);
    } catch (error) {
      return error instanceof SlidelightError ? error.code : error;
    }
  };
  expect(codeOf({ ...payload, version: 2 })).toBe("job-newer");
  expect(codeOf({ ...payload, version: 0 })).toBe("job-invalid");
  expect(codeOf({ ...payload, version: "2" })).toBe("job-invalid");
  expect(codeOf(null)).toBe("job-invalid");
  // A setting that is not known decides the result all the same.
  expect(() => parseImageJob({ ...payload, settings: { ...job.settings, smooth: true } })).toThrow(/smooth/u);
});

test("a job's id fits a queue, and changes with whatever decides the result", () => {
  const id = imageJobId(job);
  expect(id).toMatch(/^image-[0-9a-f]{32}$/u);
  const others: readonly ImageJob[] = [
    { ...job, image: { ...job.image, etag: "other" } },
    { ...job, model: { ...job.model, sha256: "cd" } },
    { ...job, out: "s3://maps/other" },
    { ...job, settings: { ...job.settings, targets: ["1"] } },
  ];
  expect(new Set([id, ...others.map(imageJobId)]).size).toBe(1 + others.length);
  // Where the model lies does not matter.
  expect(imageJobId({ ...job, model: { ...job.model, uri: "s3://models/unet.onnx" } })).toBe(id);
});

test("a failure's code survives the queue", () => {
  const failure = { code: "store-unavailable", message: "Reading [s3] failed:\nbusy" } as const;
  expect(parseFailedReason(failedReason(failure))).toEqual({ ...failure, retryable: true });
  for (const code of failureCodes) {
    expect(parseFailedReason(failedReason({ code, message: "no" }))).toMatchObject({ code, message: "no" });
  }
  expect(parseFailedReason("job stalled more than allowable limit")).toMatchObject({ code: "worker-lost" });
  expect(parseFailedReason("anything")).toMatchObject({ code: "unexpected", message: "anything" });
});

test("each class of workers has queues of its own", () => {
  expect([imageQueueName(undefined), imageQueueName("gpu")]).toEqual(["slidelight-images", "slidelight-images-gpu"]);
  expect([shardQueueName(undefined), shardQueueName("gpu")]).toEqual(["slidelight-shards", "slidelight-shards-gpu"]);
});
