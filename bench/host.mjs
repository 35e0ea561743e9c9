import { readFileSync } from "node:fs";
import { openReaders } from "../packages/core/dist/index.js";
import { explain, sharedParts } from "./explain.mjs";
import { megapixels, printTable, withResources } from "./measure.mjs";
import { mixedSlides } from "./subjects.mjs";
import { asAccelerator, openWaitingEngine } from "./waiting-engine.mjs";

/** Faster than any. */
const pixelsPerSecond = 1e12;
const methods = ["grad-cam", "saliency"];
const tiles = { alike: asAccelerator, "the image's own": { alikeTiles: false } };
/** Slides before those that are measured: their programs stay, and the code is compiled. */
const warmUp = 8;

/**
 * What the main thread, and all threads together, do for each megapixel of an archive of slides that all differ in size, beside an engine that takes
 * no time, with one thread that reads: however fast an engine is, it is not fed faster than by the one, nor than by all cores.
 */
export async function benchHost({ side, slides }) {
  const all = await mixedSlides(side, warmUp + slides);
  // Every size among the first and the last.
  const [first, rest] = [all.filter((_, index) => index % 2 === 0), all.filter((_, index) => index % 2 === 1)];
  const ordered = [...first, ...rest];
  const rows = [];
  for (const method of methods) {
    for (const [how, kind] of Object.entries(tiles)) {
      const openers = {
        ...sharedParts,
        engine: () => ({ ...openWaitingEngine({ pixelsPerSecond, writesMaps: false }), ...kind }),
        readers: () => openReaders({ threads: 1 }),
      };
      const spent = await withResources(openers, async (shared) => {
        for (const slide of ordered.slice(0, warmUp)) await explain(slide, shared, { method });
        const before = { main: mainThreadMs(), all: process.cpuUsage() };
        for (const slide of ordered.slice(warmUp)) await explain(slide, shared, { method });
        const { user, system } = process.cpuUsage(before.all);
        return { main: mainThreadMs() - before.main, all: (user + system) / 1000 };
      });
      const pixels = ordered.slice(warmUp).reduce((sum, slide) => sum + megapixels(slide), 0);
      rows.push({
        method,
        tiles: how,
        size: `about ${side}x${side}`,
        slides,
        "ms a slide": spent.main / slides,
        "ms/MP": spent.main / pixels,
        "feeds, MP/s": (1000 * pixels) / spent.main,
        "all threads, ms/MP": spent.all / pixels,
      });
    }
  }
  printTable("The host beside an engine that takes no time, base-16 depth-4 U-Net", rows);
  return { rows };
}

/** User and system time of the main thread, where the system tells it; else the time in which it did not wait for anything. */
function mainThreadMs() {
  try {
    const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  } catch {
    return performance.eventLoopUtilization().active;
  }
}
