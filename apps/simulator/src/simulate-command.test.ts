import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { run } from "./index.ts";

async function simulate(...args: readonly string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const status = await run(["simulate", ...args], {
    stdin: new PassThrough(),
    stdout,
    stderr,
    environment: {},
    folder: "/",
    signal: new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  return { status, stdout: await text(stdout), stderr: await text(stderr) };
}

test("a night is told as a table, or as one JSON document", async () => {
  const night = ["--slides", "200", "--workers", "cpu:10", "--poisoned", "0.05"];
  const table = await simulate(...night);
  expect(table).toMatchObject({ status: 0, stderr: "" });
  expect(table.stdout).toMatch(/^slides {2,}\d+ done, \d+ failed \(\d+ image-truncated\)$/mu);
  const { status, stdout } = await simulate(...night, "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 1, simulated: true, night: { workers: [{ count: 10 }] } });
});

test("wrong usage is told with status 2", async () => {
  expect(await simulate("--slides", "-3")).toMatchObject({ status: 2, stderr: expect.stringContaining("--slides") });
  expect(await simulate("--nonsense")).toMatchObject({ status: 2, stderr: expect.stringContaining("--nonsense") });
  expect(await simulate("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("--price-put") });
});
