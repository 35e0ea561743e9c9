import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const core = new URL("../../packages/core/dist/index.js", import.meta.url);

/** Which engines open in one process, one after the other. */
async function opened(order: "" | ".toReversed()"): Promise<readonly string[]> {
  const script = `
    const { engineChoices, openEngine } = await import(${JSON.stringify(core.href)});
    const names = [];
    for (const { engine, provider } of [...engineChoices]${order}) {
      try {
        const one = await openEngine({ engine, provider });
        names.push(engine + " " + provider);
        await one[Symbol.asyncDispose]();
      } catch {}
    }
    process.stdout.write(JSON.stringify(names.sort()));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  return JSON.parse(stdout);
}

// What looks for a GPU's driver once kept OpenVINO from opening.
test("no engine, nor looking for one, keeps another from opening", async () => {
  const names = await opened("");
  expect(names).toContain("onnxruntime cpu");
  expect(await opened(".toReversed()")).toEqual(names);
});
