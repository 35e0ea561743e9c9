import { keptJobs } from "@slidelight/contract";
import { shardLimits } from "@slidelight/core";
import { expect, test } from "vitest";
import { loadSimulateConfig } from "./config.ts";
import { jobBytes, openRedisMemory } from "./redis-memory.ts";
import { openStoreRequests } from "./store-requests.ts";
import { openTimeline } from "./timeline.ts";
import { workerClasses } from "./worker-classes.ts";

test("the default is a hundred thousand slides, five hundred workers, and the product's own limits", () => {
  const { night } = loadSimulateConfig({}, {});
  expect(night.archive.slides).toBe(100_000);
  expect(night.workers).toEqual([{ class: workerClasses.gpu, count: 500 }]);
  expect(night.limits).toEqual(shardLimits);
});

test("classes may be mixed, and what is said of workers is said of all", () => {
  const { night } = loadSimulateConfig({}, { workers: "gpu:2,cpu:8", startup: "7" });
  expect(night.workers).toEqual([
    { class: { ...workerClasses.gpu, startup: 7 }, count: 2 },
    { class: { ...workerClasses.cpu, startup: 7 }, count: 8 },
  ]);
});

test("all faults are told together, each by its flag", () => {
  const load = () =>
    loadSimulateConfig({}, { slides: "none", workers: "tpu:3", tissue: "0.4-0.1", size: "9", preemption: "1" });
  expect(load).toThrow(expect.objectContaining({ code: "usage" }));
  expect(load).toThrow(/--slides.*\n.*--workers.*\n.*--size.*\n.*--tissue.*\n.*--preemption/u);
  expect(() => loadSimulateConfig({}, { biopsies: "0.7", small: "0.7" })).toThrow(/--biopsies/u);
});

test("Redis keeps the last finished jobs, and the answers of their shards with them", () => {
  const redis = openRedisMemory();
  const images = keptJobs.done.count + 5;
  redis.imageAdded(images);
  redis.shardAdded(3);
  for (let shard = 0; shard < 3; shard += 1) redis.shardEnded(true);
  expect(redis.bytes).toBe(images * jobBytes.image + 3 * jobBytes.doneShard);
  redis.imageEnded("done", 3);
  for (let image = 1; image < images; image += 1) redis.imageEnded("done", 0);
  // The divided one was the oldest, and has gone.
  expect(redis.bytes).toBe(keptJobs.done.count * jobBytes.completedImage);
});

test("an object larger than a part is put in parts", () => {
  const store = openStoreRequests();
  store.put("PUT output", 8_388_608);
  store.put("PUT output", 8_388_609);
  expect(store.rows()).toEqual([{ kind: "PUT output", paidAs: "write", requests: 1 + 2 + 2, bytes: 16_777_217 }]);
});

test("a timeline has few points however long it is", () => {
  const timeline = openTimeline<{ readonly value: number }>(16);
  for (let second = 0; second < 100_000; second += 1) timeline.at(second, () => ({ value: second }));
  expect(timeline.points.length).toBeLessThanOrEqual(16);
  expect(timeline.points[0]).toEqual({ value: 0, seconds: 0 });
  expect(timeline.points.at(-1)?.seconds).toBeGreaterThan(80_000);
});
