import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCodeOf } from "./io-error.ts";

/**
 * Makes a folder and those above it. Not Node's own `recursive`, which never returns where a file system answers ENOENT for
 * a new entry of a folder that is there, as /proc does.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = systemCodeOf(error);
    const parent = dirname(folder);
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || parent === folder || (await isThere(parent))) throw error;
    await makeFolder(parent);
    await mkdir(folder).catch((again: unknown) => {
      // Somebody else was faster.
      if (systemCodeOf(again) !== "EEXIST") throw again;
    });
  }
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
