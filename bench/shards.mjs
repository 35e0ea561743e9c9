import { loadavg } from "node:os";
import { benchShardOverhead } from "./shard-overhead.mjs";
import { benchShardScaling } from "./shard-scaling.mjs";

/** What sharing a slide among workers costs, with one worker, and whether more of them help. */
export async function benchShards({ rounds, side, shardSeconds, waitedSeconds }) {
  const load = () => loadavg().map((value) => value.toFixed(1));
  const before = load();
  const overhead = await benchShardOverhead({ rounds, side, shardSeconds });
  const between = load();
  const scaling = await benchShardScaling({ rounds, waitedSeconds });
  const loads = { before, between, after: load() };
  process.stdout.write(
    `  load averages: ${before.join(" ")}, then ${between.join(" ")}, then ${loads.after.join(" ")}\n`,
  );
  return { loads, overhead, scaling };
}
