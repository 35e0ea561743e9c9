// Writes the ONNX standard's own operator tests into a cache folder, once for each version of them.
// Usage: node scripts/onnx-standard-tests.mjs
// Needs Python 3.11 or later with venv, and the network the first time; where they are missing, it says so and exits
// with 0, and the test that reads the files is skipped with the same reason.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The cases differ between versions: these are what the list of refused cases was written for. */
const packages = { onnx: "1.23.2", numpy: "2.4.6" };

const generator = fileURLToPath(new URL("onnx-standard-tests.py", import.meta.url));
const root = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "slidelight", "onnx-standard");

/** Where the cases lie (`cases.json` is written last); where they could not be made, `missing.txt` beside it says why. */
const folder = join(root, `onnx-${packages.onnx}-1`);
const missing = join(root, "missing.txt");

/** Runs a command to its end; rejects with the last line that it wrote. */
function run(command, args) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", fail);
    child.on("close", (status) => {
      const last = output.trim().split("\n").at(-1) ?? "";
      if (status === 0) done(last);
      else fail(new Error(`${command} ${args.slice(0, 3).join(" ")} failed: ${last}`));
    });
  });
}

async function generate() {
  await mkdir(root, { recursive: true });
  const work = await mkdtemp(join(root, "making-"));
  try {
    const environment = join(work, "environment");
    await run("python3", ["-m", "venv", environment]);
    const python = join(environment, "bin", "python");
    const pinned = Object.entries(packages).map(([name, version]) => `${name}==${version}`);
    await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...pinned]);
    const cases = join(work, "cases");
    const summary = await run(python, [generator, cases]);
    if (!existsSync(folder)) await rename(cases, folder);
    return summary;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Makes the cases unless they are there.
 * @returns {Promise<{ folder: string, reason?: string }>} The folder; with `reason`, it could not be made.
 */
export async function prepareOnnxStandardTests() {
  if (existsSync(join(folder, "cases.json"))) return { folder };
  try {
    const summary = await generate();
    await rm(missing, { force: true });
    process.stderr.write(`ONNX standard tests: ${summary} in ${folder}\n`);
    return { folder };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await writeFile(missing, reason).catch(() => undefined);
    process.stderr.write(`ONNX standard tests: left out (${reason})\n`);
    return { folder, reason };
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await prepareOnnxStandardTests();
}
