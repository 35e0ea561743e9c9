import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCampaign } from "./faults/campaign.ts";
import type { Campaign, CampaignWorker, Release } from "./faults/campaign.ts";
import { compare, faultsAfter, triedAgain } from "./faults/invariants.ts";
import { readResults } from "./faults/results.ts";
import type { Results } from "./faults/results.ts";
import { redisMissing, startRedisServer } from "./servers/redis-server.ts";
import { s3Missing, startS3Server } from "./servers/s3-server.ts";
import { makeSlide } from "./upgrade/slide.ts";
import type { Archive } from "./faults/archive.ts";

const missing = redisMissing() ?? s3Missing();
if (missing !== undefined) console.warn(`Rolling upgrades are not tested: there is ${missing}.`);

/** A release whose engine rounds otherwise. */
const otherEngine: Release = { options: ["--engine", "tfjs", "--provider", "wasm", "--shard-seconds", "0.3"] };
/** A release that reads payloads which this one does not know. */
const nextRelease: Release = { program: fileURLToPath(new URL("upgrade/next-release.mjs", import.meta.url)) };

/** So short that the slide is several shards. */
const shardSeconds = "0.02";

/** Local processes in the roles of pods, and one slide that is many shards. */
describe.skipIf(missing !== undefined)("a slide comes out whole, from one engine, without a failed try,", () => {
  const opened: AsyncDisposable[] = [];
  let archive: Archive;
  let calm: Results;
  let calmOther: Results;
  let open: (name: string, outs?: number) => Promise<Campaign>;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "slidelight-upgrade-"));
    opened.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
    const redis = await startRedisServer();
    opened.push(redis);
    const s3 = await startS3Server();
    opened.push(s3);
    archive = await makeSlide(s3);
    const workerOptions = ["--shard-seconds", shardSeconds];
    const common = { archive, folder, redis: redis.url, s3: s3.endpoint, workerOptions };
    open = (name, outs = 1) => openCampaign({ ...common, name, outs });
    calm = await explained("calm", ["--engine", "onnxruntime", "--threads", "1"]);
    calmOther = await explained("calm-other", ["--engine", "tfjs", "--provider", "wasm"]);
  });
  afterAll(async () => {
    for (const each of opened.toReversed()) await each[Symbol.asyncDispose]();
  });

  /** What one `explain` gives. */
  async function explained(name: string, engine: readonly string[]): Promise<Results> {
    await using campaign = await open(name);
    const [out = ""] = campaign.outs;
    const { status, stderr } = await campaign.run("explain", ...campaign.job(out), ...engine);
    expect(status, stderr).toBe(0);
    return readResults(archive, out);
  }

  /** Nothing is wrong, and no try was used up. */
  async function faults(campaign: Campaign, expected: Results): Promise<readonly string[]> {
    return [...(await faultsAfter(campaign, expected)), ...(await triedAgain(campaign))];
  }

  /** Whoever computes this shard of the first sweep can't store it: the slide does not end before it is handed back. */
  const holdShard = (campaign: Campaign) =>
    campaign.network.requests.add({
      method: "PUT",
      path: /float32\/0\/0001\.shard\?/u,
      times: 1,
      trouble: { kind: "hold", what: "request" },
    });

  const shardsDone = (workers: readonly CampaignWorker[], status: string): number =>
    workers
      .flatMap((worker) => worker.errors())
      .filter((line) => line.includes('"shard done"') && line.includes(`"status":"${status}"`)).length;

  test("where engines differ in the last bits", () => {
    expect(compare(calmOther, { calm, out: "maps", archive })).not.toEqual([]);
  });

  test("although its workers are replaced one by one, while a job of the later release waits for the new ones", async () => {
    await using campaign = await open("replaced", 2);
    const held = holdShard(campaign);
    await campaign.enqueue();
    const [job] = await campaign.images.getJobs(["wait"]);
    const { settings, ...data } = job?.data ?? {};
    await job?.updateData({ ...data, version: 2, settings: { ...settings, smooth: true } });
    const old = [await campaign.startWorker("old-0"), await campaign.startWorker("old-1")];
    await expect.poll(() => held.count, { timeout: 60_000 }).toBe(1);
    expect(await Promise.race(old.map((worker) => worker.line("image put off")))).toContain("of that release");
    expect(await job?.isDelayed()).toBe(true);
    const next: CampaignWorker[] = [];
    for (const [index, worker] of old.entries()) {
      next.push(await campaign.startWorker(`next-${index}`, nextRelease));
      await worker.stop();
    }
    await campaign.untilIdle();
    for (const worker of next) await worker.stop();
    expect(await faults(campaign, calm)).toEqual([]);
    // Both have worked at it.
    expect(shardsDone(old, "computed")).toBeGreaterThan(0);
    expect(shardsDone(next, "computed")).toBeGreaterThan(0);
  });

  test("although it goes from three workers to one, to none, and to two", async () => {
    await using campaign = await open("scaled");
    const held = holdShard(campaign);
    const first = await Promise.all(["pod-0", "pod-1", "pod-2"].map((pod) => campaign.startWorker(pod)));
    await campaign.enqueue();
    await expect.poll(() => held.count, { timeout: 60_000 }).toBe(1);
    const [last, ...others] = first;
    await Promise.all(others.map((worker) => worker.stop()));
    await last?.stop();
    expect(await campaign.isIdle()).toBe(false);
    const second = await Promise.all(["pod-3", "pod-4"].map((pod) => campaign.startWorker(pod)));
    await campaign.untilIdle();
    await Promise.all(second.map((worker) => worker.stop()));
    expect(await faults(campaign, calm)).toEqual([]);
  });

  test("although nobody is left with the engine that began it: it is begun anew, and nothing of the old work stays", async () => {
    await using campaign = await open("engine");
    const held = holdShard(campaign);
    await campaign.enqueue();
    const old = await campaign.startWorker("old");
    await expect.poll(() => held.count, { timeout: 60_000 }).toBe(1);
    const next = await campaign.startWorker("next", otherEngine);
    // While the old one is there, its image is left to it.
    await next.line("shard put off");
    await old.stop();
    await campaign.untilIdle();
    await next.stop();
    expect(await faults(campaign, calmOther)).toEqual([]);
    expect(next.errors().filter((line) => line.includes("nobody is left"))).not.toEqual([]);
  });

  test("although two engines share the queue from its first tile to its last", async () => {
    await using campaign = await open("mixed");
    const workers = [await campaign.startWorker("one"), await campaign.startWorker("other", otherEngine)];
    await campaign.enqueue();
    await campaign.untilIdle();
    for (const worker of workers) await worker.stop();
    const [out = ""] = campaign.outs;
    const results = await readResults(archive, out);
    const ways = [calm, calmOther].map((expected) => compare(results, { calm: expected, out, archive }));
    const whose = ways[0]?.length === 0 ? calm : calmOther;
    expect(await faults(campaign, whose)).toEqual([]);
  });
});
