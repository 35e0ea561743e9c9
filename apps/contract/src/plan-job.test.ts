import { expect, test } from "vitest";
import { parsePlanJob } from "./plan-job.ts";
import type { PlanJob } from "./plan-job.ts";

const plan: PlanJob = {
  version: 1,
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

test("a plan survives the queue, and one of another release is refused", () => {
  expect(parsePlanJob(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
  expect(() => parsePlanJob({ ...plan, version: 2 })).toThrow(expect.objectContaining({ code: "job-invalid" }));
  expect(() => parsePlanJob({ ...plan, images: { ...plan.images, sources: [] } })).toThrow(/images.sources/u);
});
