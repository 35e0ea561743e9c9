import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { threadFile } from "./thread-file.ts";

test("from the sources the built file is taken, also below a folder that is called src", async () => {
  const root = await mkdtemp(join(tmpdir(), "thread-file-"));
  try {
    const built = join(root, "src", "core", "dist", "engine");
    await mkdir(built, { recursive: true });
    await writeFile(join(built, "thread.js"), "");
    const file = pathToFileURL(join(built, "thread.js")).href;
    const source = pathToFileURL(join(root, "src", "core", "src", "engine", "open-engine.ts")).href;
    expect(threadFile("thread", source).href).toBe(file);
    expect(threadFile("thread", pathToFileURL(join(built, "open-engine.js")).href).href).toBe(file);
    expect(() => threadFile("thread", source.replace("/core/src/engine/", "/core/src/other/"))).toThrow(
      /npm run build/,
    );
  } finally {
    await rm(root, { recursive: true });
  }
});
