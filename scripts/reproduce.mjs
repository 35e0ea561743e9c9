// npm run reproduce: sets up and builds, then trains and judges what docs/evidence.md compares. Arguments go to reproduce/index.mjs.
import { spawnSync } from "node:child_process";
import { main, root, setUp } from "./setup.mjs";

await main(() => {
  setUp();
  return (
    spawnSync(process.execPath, ["reproduce/index.mjs", ...process.argv.slice(2)], { cwd: root, stdio: "inherit" })
      .status ?? 1
  );
});
