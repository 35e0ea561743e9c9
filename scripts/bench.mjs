// npm run bench: installs what is missing, builds, and runs the benchmarks. Arguments go to bench/index.mjs.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(`${root}/node_modules/.package-lock.json`)) run("npm", ["ci"]);
run("npx", ["tsc", "-b"]);
run(process.execPath, ["bench/index.mjs", ...process.argv.slice(2)]);
