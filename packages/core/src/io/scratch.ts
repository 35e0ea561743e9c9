import { mkdtemp, readdir, readFile, rm, stat, statfs, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { fileError } from "./io-error.ts";
import { isAlive } from "./living-process.ts";
import { makeFolder } from "./make-folder.ts";

/** Files in progress of one process, in a folder that others may share. */
export interface Scratch extends AsyncDisposable {
  /** The process's own folder. */
  readonly folder: string;
}

const own = "process-";
/** Parts of images that `explain` was kept from finishing. */
const work = "work-";
const ownerName = "owner.json";

/** A living process touches its folder so often; one that was not touched for much longer has no owner. */
const touchMs = 60_000;
const lostMs = 15 * touchMs;
/** By then nobody goes on with an image that was given up. */
const forgottenMs = 7 * 86_400_000;

const ownerSchema = z.object({ host: z.string(), pid: z.number(), startedMs: z.number() });

/**
 * Opens a folder for this process's files below `root`, and removes what processes left there that were killed.
 * @throws {SlidelightError} `output-unwritable`.
 */
export async function openScratch(root: string): Promise<Scratch> {
  try {
    await makeFolder(root);
    await removeOrphans(root);
    const folder = await mkdtemp(join(root, own));
    await writeFile(join(folder, ownerName), JSON.stringify(thisProcess()));
    const touching = setInterval(() => {
      const now = new Date();
      // A folder that can't be touched is met when something is written.
      utimes(folder, now, now).catch(() => undefined);
    }, touchMs).unref();
    return {
      folder,
      [Symbol.asyncDispose]: async () => {
        clearInterval(touching);
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    throw fileError(error, { operation: "Opening the scratch folder", path: root, otherwise: "output-unwritable" });
  }
}

/**
 * Looks whether there is room before it is needed: a full disk stops others too.
 * @throws {SlidelightError} `output-unwritable` when there is not.
 */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new SlidelightError(
    "output-unwritable",
    `Working in the scratch folder "${folder}": expected ${bytes} bytes of free space, got ${free} (no space left). Choose another folder with --scratch, or free some space.`,
    { detail: { bytes, free } },
  );
}

function thisProcess(): z.output<typeof ownerSchema> {
  return { host: hostname(), pid: process.pid, startedMs: Math.round(performance.timeOrigin) };
}

async function removeOrphans(root: string): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const folder = join(root, entry.name);
    const orphan = entry.name.startsWith(own)
      ? await isLost(folder)
      : entry.name.startsWith(work) && (await isOlder(folder, forgottenMs));
    if (orphan) await rm(folder, { recursive: true, force: true });
  }
}

/** Whether its process is gone: known of one of this machine, taken for granted of one that stopped touching it. */
async function isLost(folder: string): Promise<boolean> {
  if (await isOlder(folder, lostMs)) return true;
  const owner = await ownerOf(folder);
  const self = thisProcess();
  if (owner === undefined || owner.host !== self.host) return false;
  // A container that starts again gives its first process the same number.
  if (owner.pid === self.pid) return owner.startedMs !== self.startedMs;
  return !isAlive(owner.pid);
}

async function ownerOf(folder: string): Promise<z.output<typeof ownerSchema> | undefined> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(join(folder, ownerName), "utf8")));
  } catch {
    // It is being made or removed.
    return undefined;
  }
}

async function isOlder(folder: string, ageMs: number): Promise<boolean> {
  try {
    return Date.now() - (await stat(folder)).mtimeMs > ageMs;
  } catch {
    return false;
  }
}
