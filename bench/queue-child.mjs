// A process that enqueues and does nothing else, for bench/queue.mjs: memory is its own. Arguments: address, jobs, batch size.
import { addJobs } from "../apps/producer/dist/add-jobs.js";
import { openQueue } from "../apps/producer/dist/open-queue.js";
import { peakGigabytes, timed, withResource } from "./measure.mjs";
import { adding, imageJobBatches } from "./queue-payloads.mjs";

const [redis, countText, sizeText] = process.argv.slice(2);
const count = Number(countText);
const queue = await openQueue({ redis });
let early;
const { seconds } = await timed(() =>
  withResource(queue, async () => {
    let added = 0;
    for (const batch of imageJobBatches(count, { size: Number(sizeText) })) {
      added += (await addJobs(queue, batch, adding)).added;
      if (early === undefined && added >= count / 10) early = peakGigabytes();
    }
    if (added !== count) throw new Error(`Adding ${count} jobs added ${added}.`);
  }),
);
process.stdout.write(JSON.stringify({ seconds, peakGB: { tenth: early, all: peakGigabytes() } }));
