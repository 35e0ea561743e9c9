// npm run check: types, lint, format, unused exports. One line each, with what is wrong above it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { checkNode, installDependencies, main, root } from "./setup.mjs";

const bin = (name) => join(root, "node_modules/.bin", name);

const checks = [
  {
    name: "types",
    commands: [
      [bin("tsc"), "-b"],
      [bin("tsc"), "-p", "test", "--noEmit"],
    ],
  },
  { name: "lint", commands: [[bin("oxlint"), "--type-aware", "--deny-warnings"]] },
  { name: "format", commands: [[bin("biome"), "format"]] },
  { name: "unused", commands: [[bin("knip"), "--no-progress"]] },
];

await main(() => {
  checkNode();
  installDependencies();
  let failed = 0;
  for (const { name, commands } of checks) {
    let ok = true;
    for (const [command, ...args] of commands) {
      const result = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 });
      if (result.status === 0) continue;
      ok = false;
      process.stdout.write(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}\n`);
    }
    if (!ok) failed += 1;
    process.stdout.write(`${name}: ${ok ? "ok" : "failed"}\n`);
  }
  process.stdout.write(`checks: ${checks.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
});
