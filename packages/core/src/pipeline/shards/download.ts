import { open } from "node:fs/promises";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";

/** Read at once: large enough that a store's answer time does not count, small beside a tile's memory. */
const partBytes = 8 * 2 ** 20;

/** Copies an object into a local file. @throws {SlidelightError} `output-unwritable`; what reading throws. */
export async function download(source: ByteSource, path: string, options: Abortable): Promise<void> {
  const unwritable = (error: unknown): never => {
    throw new SlidelightError(
      "output-unwritable",
      `Copying ${source.uri} to "${path}": ${messageOf(error)}. Choose another folder with --scratch, or free some space.`,
      { cause: error },
    );
  };
  await using file = await open(path, "w").catch(unwritable);
  for (let offset = 0; offset < source.size; offset += partBytes) {
    const bytes = await source.read({ offset, length: Math.min(partBytes, source.size - offset) }, options);
    await file.writeFile(bytes).catch(unwritable);
  }
}
