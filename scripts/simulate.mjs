// npm run simulate -- [options]: simulates an archive's night. docs/capacity.md says what is modelled; --help lists the options.
import { join } from "node:path";
import { call, checkNode, installDependencies, main, root } from "./setup.mjs";

await main(async () => {
  checkNode();
  installDependencies();
  call(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "apps/simulator"]);
  const { run } = await import(new URL("../apps/simulator/dist/index.js", import.meta.url).href);
  return run(["simulate", ...process.argv.slice(2)], {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    folder: process.cwd(),
    signal: new AbortController().signal,
  });
});
