import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGround } from "./faults/ground.ts";
import type { Ground } from "./faults/ground.ts";
import { producerFaults } from "./faults/producer-faults.ts";
import { redisFaults } from "./faults/redis-faults.ts";
import { scratchFaults } from "./faults/scratch-faults.ts";
import { storeFaults } from "./faults/store-faults.ts";
import { workerFaults } from "./faults/worker-faults.ts";
import { redisMissing } from "./servers/redis-server.ts";
import { s3Missing } from "./servers/s3-server.ts";

const missing = redisMissing() ?? s3Missing();
if (missing !== undefined) console.warn(`The tests with faults are skipped: there is ${missing}.`);

/** Far more than a scenario takes: machines that run tests are busy with others. */
const timeout = 300_000;

describe.skipIf(missing !== undefined)("an archive is explained once, and alike byte for byte,", { timeout }, () => {
  let opened: Ground | undefined;
  const ground = (): Ground => {
    if (opened === undefined) throw new Error("The archive was not made.");
    return opened;
  };
  beforeAll(async () => {
    opened = await openGround();
  });
  afterAll(() => opened?.[Symbol.asyncDispose]());

  test("by a calm run, which has two results an image, some of many tiles", () => {
    const { archive, calm } = ground();
    expect(calm.manifests.size).toBe(2 * archive.sound.length);
    expect(Math.max(...[...calm.manifests.values()].map(({ tiles }) => tiles.kept))).toBeGreaterThan(30);
  });

  workerFaults(ground);
  producerFaults(ground);
  redisFaults(ground);
  storeFaults(ground);
  scratchFaults(ground);
});
