import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SlidelightError } from "../errors/slidelight-error.ts";

/**
 * The file of a worker thread, or of a process, beside the module that starts it. They run JavaScript, also on a Node.js that
 * knows no TypeScript: a caller that runs from the sources (a test) gets the built file.
 * @param name Without extension: "thread".
 * @param caller The caller's `import.meta.url`, in `src` or `dist`.
 * @throws {SlidelightError} `engine-unavailable` when it has not been built.
 */
export function threadFile(name: string, caller: string): URL {
  const sources = caller.lastIndexOf("/src/");
  const built =
    caller.endsWith(".ts") && sources >= 0
      ? `${caller.slice(0, sources)}/dist/${caller.slice(sources + "/src/".length)}`
      : caller;
  const file = new URL(`${name}.js`, built);
  if (!existsSync(file)) {
    throw new SlidelightError(
      "engine-unavailable",
      `Starting a thread or process: expected the built file ${fileURLToPath(file)}, got none. Build the project first: npm run build.`,
    );
  }
  return file;
}
