// What the other scripts need before they can run. Plain Node.js: nothing is installed yet.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const binaries = join(homedir(), ".cache", "slidelight", "bin");

/** The S3 server of the tests. */
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const leastNode = [20, 19];

/** Says what is being done; results go to standard output, this does not. */
export function say(text) {
  process.stderr.write(`• ${text}\n`);
}

/** Runs a program to its end; throws when it fails. With `quiet`, its output is shown only then. */
export function call(command, args, { quiet = false, env = {} } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: quiet ? "pipe" : ["ignore", "inherit", "inherit"],
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 28,
  });
  if (result.status === 0) return result.stdout ?? "";
  if (quiet) process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  throw new Error(
    `${command} ${args.join(" ")} failed${result.error === undefined ? "" : `: ${result.error.message}`}`,
  );
}

/** A program of the cache or the path. */
export function find(name) {
  const folders = [binaries, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1])) return;
  throw new Error(
    `Node ${leastNode.join(".")} or later is needed, this is ${process.versions.node}. See https://nodejs.org.`,
  );
}

/** `npm ci`, when the lock file is another one than at the last time. */
export function installDependencies() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const stamp = join(root, "node_modules", ".slidelight-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  say("installing dependencies (npm ci)");
  call("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, lock);
}

export function build() {
  call(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b"]);
}

export function dockerAnswers() {
  return spawnSync("docker", ["info"], { stdio: "ignore", timeout: 10_000 }).status === 0;
}

/** Why there is no Redis; `undefined` where there is one, or where it could be installed. */
export function ensureRedis() {
  if (find("redis-server") !== undefined) return undefined;
  const advice =
    "redis-server is not there: install it (Debian: apt-get install redis-server; macOS: brew install redis)";
  if (process.getuid?.() !== 0 || find("apt-get") === undefined) return advice;
  say("installing redis-server (apt-get)");
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = () =>
    call("apt-get", ["install", "-y", "--no-install-recommends", "redis-server"], { quiet: true, env });
  try {
    try {
      install();
    } catch {
      // A fresh container has no package lists.
      call("apt-get", ["update"], { quiet: true, env });
      install();
    }
  } catch (error) {
    return `${advice}; ${error.message}`;
  }
  return find("redis-server") === undefined ? advice : undefined;
}

/** Why there is no S3 server for the tests; `undefined` where there is one, or where it could be built. */
export function ensureS3Server() {
  if (find("versitygw") !== undefined) return undefined;
  const advice = `no S3 server: put versitygw on the path, or install Go 1.25 or later (https://go.dev/dl) and run this again`;
  if (find("go") === undefined) return advice;
  say(`building the S3 server of the tests, once (${versitygw})`);
  mkdirSync(binaries, { recursive: true });
  try {
    call("go", ["install", versitygw], { quiet: true, env: { GOBIN: binaries } });
  } catch (error) {
    return `${advice}; ${error.message}`;
  }
  return find("versitygw") === undefined ? advice : undefined;
}

/** Dependencies and build, as every script needs them. */
export function setUp() {
  checkNode();
  installDependencies();
  say("building");
  build();
}

/** Runs a script's main function: a failure is one line, without a stack. */
export async function main(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    process.stderr.write(`✗ ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
