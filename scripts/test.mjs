// npm test: set-up, then every test. The last line is "N passed, N failed" (", N skipped").
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareOnnxStandardTests } from "./onnx-standard-tests.mjs";
import { ensureOpenVino } from "./openvino.mjs";
import {
  dockerAnswers,
  ensureKustomize,
  ensurePrometheus,
  ensureRedis,
  ensureS3Server,
  main,
  root,
  setUp,
} from "./setup.mjs";

/** Suites that can do nothing at all without an S3 server. */
const s3Suites = ["test/s3.test.ts"];

await main(async () => {
  setUp();
  // Where they can't be made, their suite is skipped and says why.
  await prepareOnnxStandardTests();
  const openvino = process.env.SLIDELIGHT_OPENVINO === undefined ? ensureOpenVino() : undefined;
  const redis = process.env.SLIDELIGHT_TEST_REDIS_URL === undefined ? ensureRedis() : undefined;
  const s3 = process.env.SLIDELIGHT_TEST_S3_ENDPOINT === undefined ? ensureS3Server() : undefined;
  const prometheus = ensurePrometheus();
  const kustomize = ensureKustomize();
  const docker = (redis ?? s3) !== undefined && dockerAnswers();
  const folder = mkdtempSync(join(tmpdir(), "slidelight-test-"));
  const report = join(folder, "report.json");
  const noS3 = s3 !== undefined && !docker;
  const run = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...(noS3 ? s3Suites.map((suite) => `--exclude=${suite}`) : []),
      ...process.argv.slice(2),
    ],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
  );
  let counts;
  try {
    counts = countsOf(JSON.parse(readFileSync(report, "utf8")));
  } catch {
    counts = { passed: 0, failed: 1, skipped: [] };
  }
  rmSync(folder, { recursive: true, force: true });
  const skipped = [...counts.skipped, ...(noS3 ? s3Suites : [])];
  if (skipped.length > 0) {
    process.stdout.write(`\nSkipped:\n${skipped.map((name) => `  ${name}\n`).join("")}`);
    for (const reason of [openvino, prometheus, kustomize, ...(docker ? [] : [redis, s3])])
      if (reason !== undefined) process.stdout.write(`  because: ${reason}\n`);
  }
  // A run can fail without a test that does: an unhandled rejection.
  const failed = Math.max(counts.failed, run.status === 0 ? 0 : 1);
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
  process.stdout.write(`${counts.passed} passed, ${failed} failed${tail}\n`);
  return failed === 0 ? 0 : 1;
});

function countsOf(report) {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  // A file that could not be loaded has no tests, but it failed.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: tests.filter((test) => test.status === "passed").length,
    failed: tests.filter((test) => test.status === "failed").length + broken.length,
    skipped: tests.filter((test) => !["passed", "failed"].includes(test.status)).map((test) => test.fullName),
  };
}
