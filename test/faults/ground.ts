import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedisServer } from "../servers/redis-server.ts";
import { startS3Server } from "../servers/s3-server.ts";
import { makeArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";
import { openCampaign } from "./campaign.ts";
import type { Campaign, CampaignOptions } from "./campaign.ts";
import { faultsAfter } from "./invariants.ts";
import { chanceOf, chooseSeed } from "./random.ts";
import type { Chance } from "./random.ts";
import { readResults } from "./results.ts";
import type { Results } from "./results.ts";

/** What all scenarios share: servers, an archive, and what a run without any fault makes of it. */
export interface Ground extends AsyncDisposable {
  readonly archive: Archive;
  readonly calm: Results;
  readonly chance: Chance;
  /** A campaign of a scenario's own, by its name. */
  open(
    name: string,
    options?: Partial<Pick<CampaignOptions, "redis" | "outs" | "enqueueOptions" | "workerOptions">>,
  ): Promise<Campaign>;
}

export async function openGround(): Promise<Ground> {
  const seed = chooseSeed();
  console.info(`Faults: SLIDELIGHT_FAULT_SEED=${seed} chooses these moments again.`);
  const folder = await mkdtemp(join(tmpdir(), "slidelight-faults-"));
  const opened: AsyncDisposable[] = [{ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }];
  const close = async (): Promise<void> => {
    for (const each of opened.toReversed()) await each[Symbol.asyncDispose]();
  };
  try {
    const redis = await startRedisServer();
    opened.push(redis);
    const s3 = await startS3Server();
    opened.push(s3);
    const archive = await makeArchive(s3);
    const common = { archive, folder, redis: redis.url, s3: s3.endpoint };
    return {
      archive,
      calm: await calmRun(common),
      chance: chanceOf(seed),
      open: (name, options = {}) => openCampaign({ ...common, name, ...options }),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function calmRun(common: Omit<CampaignOptions, "name">): Promise<Results> {
  await using campaign = await openCampaign({ ...common, name: "calm" });
  await campaign.enqueue();
  await campaign.finish();
  const [out = ""] = campaign.outs;
  const calm = await readResults(common.archive, out);
  const faults = await faultsAfter(campaign, calm);
  const images = new Set([...calm.manifests.keys()].map((run) => run.slice(0, run.lastIndexOf("/"))));
  if (faults.length > 0 || images.size !== common.archive.sound.length)
    throw new Error(`The calm run explained ${images.size} images:\n${faults.join("\n")}`);
  return calm;
}
