import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCodeOf } from "./io-error.ts";

/** Tries where others make and remove the same folders. */
const attempts = 5;

/**
 * Makes a folder and those above it. Not Node's own `recursive`, which never returns where a file system answers ENOENT for
 * a new entry of a folder that is there, as /proc does.
 */
export async function makeFolder(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder);
      return;
    } catch (error) {
      const code = systemCodeOf(error);
      const parent = dirname(folder);
      if (code === "EEXIST") return;
      if (code !== "ENOENT" || parent === folder || attempt === attempts) throw error;
      // Not there, or not any more; where it is, what was refused is refused again.
      await makeFolder(parent);
    }
  }
}
