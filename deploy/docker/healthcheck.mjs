// The images' health check: asks /healthz of what the container runs. A command that ends by itself has no health to ask for.
import { readFileSync } from "node:fs";

const defaultPorts = { worker: "9090", planner: "9091" };

/** The words of the container's command, whatever starts it. */
const words = readFileSync("/proc/1/cmdline", "utf8").split("\0");
const command = Object.keys(defaultPorts).find((name) => words.includes(name));
if (command !== undefined) {
  const flag = words.findIndex((word) => word === "--port" || word.startsWith("--port="));
  const given = flag < 0 ? undefined : (words[flag].split("=")[1] ?? words[flag + 1]);
  const port = given ?? process.env.SLIDELIGHT_PORT ?? defaultPorts[command];
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(4000) });
    process.stdout.write(await response.text());
    if (!response.ok) process.exitCode = 1;
  } catch (error) {
    process.stdout.write(`/healthz on port ${port}: ${error.cause?.message ?? error.message}\n`);
    process.exitCode = 1;
  }
}
