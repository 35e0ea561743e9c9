import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Where scripts/setup.mjs puts servers that it built. */
const cached = join(homedir(), ".cache", "slidelight", "bin");

/** A server's program, from the cache or the path. */
export function findBinary(name: string): string | undefined {
  const own = join(cached, name);
  if (existsSync(own)) return own;
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Whether a container engine answers. */
export function dockerAnswers(): boolean {
  return spawnSync("docker", ["info"], { stdio: "ignore", timeout: 10_000 }).status === 0;
}

export interface ChildServer extends AsyncDisposable {
  readonly pid: number;
}

/** Starts a server and waits until it takes connections. */
export async function startChild(
  command: string,
  args: readonly string[],
  options: { readonly port: number; readonly env?: Readonly<Record<string, string>>; readonly folder: string },
): Promise<ChildServer> {
  const child = spawn(command, [...args], {
    cwd: options.folder,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (text) => (output += String(text)));
  child.stderr.on("data", (text) => (output += String(text)));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  for (let attempt = 0; !(await accepts(options.port)); attempt += 1) {
    if (child.exitCode !== null || attempt > 300) {
      child.kill("SIGKILL");
      throw new Error(`${command} did not start: ${output}`);
    }
    await setTimeout(50);
  }
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
