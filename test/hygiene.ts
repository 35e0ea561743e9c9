import { existsSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder = "";
let before: string | undefined;

/** Marks of scratch folders, and testcontainers' of its session. */
const kept = /^(?:owner\.json|testcontainers-node-.*\.lock)$/u;

/** Gives all tests one temporary folder, which must be empty at the end. */
export async function setup(): Promise<void> {
  before = process.env["TMPDIR"];
  folder = await mkdtemp(join(tmpdir(), "slidelight-tests-"));
  process.env["TMPDIR"] = folder;
  // For tests that use ONNX Runtime itself. What the product does by itself is seen with its commands.
  process.env["ORT_DISABLE_TELEMETRY"] = "1";
}

/** @throws {Error} naming the files and processes that tests left behind. */
export function teardown(): void {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    // Commands that a test killed leave the mark of their scratch folder, which the next one would remove.
    .filter((entry) => (entry.isFile() && !kept.test(entry.name)) || entry.name.startsWith("run-"))
    .map(({ parentPath, name }) => join(parentPath, name));
  const processes = processesIn(folder);
  for (const { id } of processes) process.kill(id, "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  const left = [...files, ...processes.map(({ id, path }) => `process ${id} in ${path}`)];
  if (left.length === 0) return;
  // The runner prints what is thrown here, and ends as if all were well.
  process.exitCode = 1;
  throw new Error(`Tests left behind:\n${left.slice(0, 20).join("\n")}`);
}

/** Servers and commands that tests start work in folders of the tests. Linux alone can tell. */
function processesIn(root: string): readonly { readonly id: number; readonly path: string }[] {
  if (!existsSync("/proc/self/cwd")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .flatMap((name) => {
      try {
        const path = readlinkSync(`/proc/${name}/cwd`);
        return path.startsWith(root) ? [{ id: Number(name), path }] : [];
      } catch {
        // It ended meanwhile, or belongs to somebody else.
        return [];
      }
    });
}
