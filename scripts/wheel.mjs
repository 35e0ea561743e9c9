// Native libraries that come in wheels of the Python package index: fetched by pip, checked, unpacked into the cache.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { call, find, say } from "./setup.mjs";

const cache = join(homedir(), ".cache", "slidelight");

/** Folder of a library in the cache; engines look there too. */
export function libraryFolder(name) {
  return join(cache, name);
}

/**
 * Fetches a wheel and unpacks it into the cache, once; a folder appears whole or not at all.
 * @param wheel `package`, `version`, `sha256` of the file, `tags` ({ python: "311", abi: "cp311", platform }) of the one
 *   file that is meant, whatever Python runs here; `keep` tells which of its paths are needed.
 * @returns The folder.
 */
export function installWheel({ package: name, version, sha256, tags, keep = () => true }, folder) {
  if (existsSync(folder)) return folder;
  const python = find("python3");
  if (python === undefined || spawnSync(python, ["-m", "pip", "--version"], { stdio: "ignore" }).status !== 0) {
    throw new Error(
      `fetching ${name} ${version}: expected python3 with pip, found none. Install it (Debian: apt-get install python3-pip)`,
    );
  }
  mkdirSync(dirname(folder), { recursive: true });
  const workshop = mkdtempSync(`${folder}.part-`);
  try {
    say(`fetching ${name} ${version} from the Python package index`);
    const requirements = join(workshop, "requirements.txt");
    writeFileSync(requirements, `${name}==${version} --hash=sha256:${sha256}\n`);
    const target = ["--implementation", "cp", "--python-version", tags.python, "--abi", tags.abi];
    const only = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--platform", tags.platform, ...target];
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir"];
    call(python, ["-m", "pip", "download", ...quiet, ...only, "--dest", workshop, "-r", requirements], { quiet: true });
    const file = readdirSync(workshop).find((entry) => entry.endsWith(".whl"));
    if (file === undefined) throw new Error(`fetching ${name} ${version}: pip gave no wheel`);
    const unpacked = join(workshop, "unpacked");
    call(python, ["-m", "zipfile", "-e", join(workshop, file), unpacked], { quiet: true });
    for (const path of readdirSync(unpacked, { recursive: true, withFileTypes: true })) {
      const whole = join(path.parentPath, path.name);
      if (path.isFile() && !keep(whole.slice(unpacked.length + 1))) rmSync(whole);
    }
    renameSync(unpacked, folder);
    return folder;
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}
