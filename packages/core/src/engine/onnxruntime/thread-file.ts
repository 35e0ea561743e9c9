import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SlidelightError } from "../../errors/slidelight-error.ts";

/**
 * The worker thread's file. Threads run JavaScript, also on a Node.js that knows no TypeScript: a caller that runs from
 * the sources (a test) gets the built file.
 * @param caller Address of a module of this folder, in `src` or `dist`.
 * @throws {SlidelightError} `engine-unavailable` when it has not been built.
 */
export function threadFile(caller: string): URL {
  const sources = caller.lastIndexOf("/src/");
  const built =
    caller.endsWith(".ts") && sources >= 0
      ? `${caller.slice(0, sources)}/dist/${caller.slice(sources + "/src/".length)}`
      : caller;
  const file = new URL("thread.js", built);
  if (!existsSync(file)) {
    throw new SlidelightError(
      "engine-unavailable",
      `Starting ONNX Runtime's thread: expected the built file ${fileURLToPath(file)}, got none. Build the project first: npm run build.`,
    );
  }
  return file;
}
