import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { openLog } from "./log.ts";
import { redactedUrl } from "./queue-options.ts";

function logged(write: (log: ReturnType<typeof openLog>["log"]) => void): readonly unknown[] {
  let text = "";
  const stream = new Writable({
    write: (part, _encoding, done) => {
      text += String(part);
      done();
    },
  });
  const environment = { AWS_SECRET_ACCESS_KEY: 'a"secret\\key', OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic abc" };
  const redis = "redis://user:p%40ssword1@host:6379";
  using opened = openLog({ level: "debug", base: { worker: "w" }, environment, redis, stream });
  write(opened.log);
  return text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

test("a line has its level as a name, its time as UTC, who wrote it, and its fields", () => {
  const [line] = logged((log) => log.child({ jobId: "j" }).warn({ seconds: 2 }, "something"));
  const time: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u);
  expect(line).toEqual({ level: "warn", time, worker: "w", jobId: "j", seconds: 2, msg: "something" });
});

test("an error tells its type, message, code and causes, and nothing else that hangs on it", () => {
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED", command: { args: ["a password"] } });
  const [line] = logged((log) =>
    log.error({ err: new TypeError("outer", { cause: new AggregateError([refused], "all") }) }, "trouble"),
  );
  const stack: unknown = expect.any(String);
  const errors = [{ type: "Error", message: "refused", code: "ECONNREFUSED", stack }];
  expect(line).toMatchObject({
    err: { type: "TypeError", message: "outer", cause: { type: "AggregateError", message: "all", errors } },
  });
  expect(JSON.stringify(line)).not.toContain("a password");
});

test("secrets of the surroundings are replaced wherever they stand", () => {
  const lines = logged((log) => {
    for (const why of ['it said a"secret\\key', "authorization=Basic abc", "p@ssword1", "p%40ssword1"]) {
      log.warn({ why }, "something");
    }
  });
  expect(lines).toMatchObject([{ why: "it said ***" }, { why: "***" }, { why: "***" }, { why: "***" }]);
});

test("what a library prints becomes a line, with errors as their messages", () => {
  const [line] = logged(() => {
    const refused = Object.assign(new Error("WRONGPASS"), { command: { args: ["short"] } });
    // oxlint-disable-next-line no-console
    console.error("trouble:", refused);
  });
  expect(line).toMatchObject({ level: "warn", msg: "process warning", why: "trouble: WRONGPASS" });
});

test.each([
  ["redis://host:6379", "redis://host:6379"],
  ["rediss://user:secret@host:6379/2", "rediss://user:***@host:6379/2"],
  ["redis://host?password=secret", "redis://host?password=***"],
])("the address %s is printed as %s", (address, printed) => {
  expect(redactedUrl(address)).toBe(printed);
});
