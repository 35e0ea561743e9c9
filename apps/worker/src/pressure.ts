import { statfs } from "node:fs/promises";
import type { Logger } from "pino";

/** Whether the worker has room to work in. */
export interface Pressure extends Disposable {
  /** Asks the file system now. */
  isHigh(): Promise<boolean>;
  /** As it was when it was last looked at. */
  readonly high: boolean;
  readonly space: { readonly freeBytes: number; readonly sizeBytes: number } | undefined;
}

const pollMs = 5000;

export interface PressureOptions {
  readonly folder: string;
  /** Less than this is too little. */
  readonly minFreeBytes: number;
  readonly log: Logger;
}

/** Watches the free space of the scratch folder's disk: other processes, and shards of this one, fill it. */
export function openPressure({ folder, minFreeBytes, log }: PressureOptions): Pressure {
  let high = false;
  let space: Pressure["space"];
  const look = async (): Promise<boolean> => {
    try {
      const { bavail, blocks, bsize } = await statfs(folder);
      space = { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
    } catch (error) {
      log.debug({ err: error }, "free space is not known");
      return high;
    }
    const { freeBytes } = space;
    const now = freeBytes < minFreeBytes;
    if (now !== high) {
      const facts = { folder, freeBytes, minFreeBytes };
      if (now) log.warn(facts, "the scratch disk is nearly full: no jobs are taken until there is room");
      else log.info(facts, "the scratch disk has room again");
    }
    high = now;
    return high;
  };
  const timer = setInterval(() => void look(), pollMs);
  void look();
  return {
    isHigh: look,
    get high() {
      return high;
    },
    get space() {
      return space;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
