import { expect, test } from "vitest";
import { parsePlanJob, planJobPayload } from "./plan-job.ts";
import type { PlanJob } from "./plan-job.ts";

const plan: PlanJob = {
  schedule: "nightly",
  images: {
    folder: "/home/lab",
    sources: ["s3://slides/"],
    model: "/models/unet.onnx",
    out: "s3://maps/nightly",
    settings: { methods: ["grad-cam"], targets: ["top1"], tissue: "auto" },
    attempts: 5,
    extensions: ["svs"],
    priority: "normal",
  },
};

test("a plan survives the queue, and one of a later release is told", () => {
  const payload = planJobPayload(plan);
  expect(parsePlanJob(JSON.parse(JSON.stringify(payload)))).toEqual(plan);
  expect(() => parsePlanJob({ ...payload, version: 2 })).toThrow(expect.objectContaining({ code: "job-newer" }));
  expect(() => parsePlanJob({ ...payload, images: { ...plan.images, sources: [] } })).toThrow(/images.sources/u);
});
