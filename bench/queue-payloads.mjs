import { retryPolicy } from "../apps/contract/dist/index.js";
import { createHash } from "node:crypto";

const hex = (text) => createHash("sha256").update(text).digest("hex");
const model = { uri: "s3://pathology-models/breast/unet-2026-03.onnx", sha256: hex("model") };

/** The job of an archive's image `index`, as `enqueue s3://…/` makes it: key, etag and size as a listing has them. */
export function imageJob(index) {
  const number = String(index).padStart(8, "0");
  const key = `slides/2026/${String(index % 12).padStart(2, "0")}/case-${number}/HE-${number}.svs`;
  return {
    version: 1,
    // An etag of an upload in parts, spread like a digest, without the time that a digest takes.
    image: { uri: `s3://pathology-archive/${key}`, key, etag: `${number.repeat(4)}-145`, bytes: 1_200_000_000 + index },
    model,
    out: "s3://pathology-maps/nightly",
    settings: { methods: ["grad-cam"], targets: ["top1"], tissue: "auto" },
  };
}

/** Batches of jobs from `start` on; one at a time, as a listing streams. */
export function* imageJobBatches(count, { size, start = 0 }) {
  for (let first = 0; first < count; first += size) {
    const length = Math.min(size, count - first);
    yield Array.from({ length }, (_, index) => imageJob(start + first + index));
  }
}

/** How the product adds jobs when nothing is said. */
export const adding = { attempts: retryPolicy.attempts, priority: "normal", cancelled: "again", missing: false };
