import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/**
 * A worker in a process of its own, ready for jobs. `lines` are those of its log, parsed, oldest first.
 * @param options.command the script that runs it, and its arguments
 */
export async function startWorker(command, args) {
  const child = spawn(process.execPath, [command, ...args, "--port", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  const lines = [];
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (text) => {
      if (!text.startsWith("{")) return;
      const line = JSON.parse(text);
      lines.push(line);
      if (line.msg === "worker ready") resolve(line.port);
      // Warnings and worse would spoil what is measured.
      if (!["debug", "info"].includes(line.level)) process.stderr.write(`${text}\n`);
    });
    ended.then(() => reject(new Error(`The worker ${command} ended before it was ready.`)), reject);
  });
  const port = await ready;
  return {
    lines,
    /** Seconds so far that its engine has computed, and that its threads have spent on processors. */
    seconds: async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const valueOf = (name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
      return { engine: valueOf("slidelight_engine_busy_seconds_total"), cpu: valueOf("process_cpu_seconds_total") };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
