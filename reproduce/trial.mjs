// One network, trained once and judged.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../apps/cli/bin/slidelight.js", import.meta.url));

/**
 * Trains and judges, unless that was done with the same options; a training that was interrupted goes on.
 * @returns What `evaluate --json` prints for each table, by its name, and whether anything was computed.
 */
export async function runTrial({ folder, training, judging, signal }) {
  mkdirSync(folder, { recursive: true });
  const told = join(folder, "options.json");
  const options = JSON.stringify({ training, judging }, undefined, 2);
  if (existsSync(told) && readFileSync(told, "utf8") !== options) {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
  }
  write(told, options);
  const model = join(folder, "model.onnx");
  const log = join(folder, "log.txt");
  let computed = false;
  if (!existsSync(model)) {
    computed = true;
    await slidelight(["train", ...training, "--out", model, "--resume"], { log, signal });
  }
  const evaluations = {};
  for (const [name, args] of Object.entries(judging)) {
    const result = join(folder, `${name}.json`);
    if (!existsSync(result)) {
      computed = true;
      write(result, await slidelight(["evaluate", ...args, "--model", model, "--json"], { log, signal }));
    }
    evaluations[name] = JSON.parse(readFileSync(result, "utf8"));
  }
  return { evaluations, computed };
}

/** In whole or not at all. */
export function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.partial`, text);
  renameSync(`${path}.partial`, path);
}

/** What the command prints; its messages go to the log. */
export function slidelight(args, { log, signal }) {
  const messages = openSync(log, "a");
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ["ignore", "pipe", messages],
    signal,
    killSignal: "SIGINT",
  });
  closeSync(messages);
  const parts = [];
  child.stdout.on("data", (part) => parts.push(part));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(Buffer.concat(parts).toString("utf8"));
      else reject(new Error(`slidelight ${args.join(" ")} ended with status ${code}; ${log} tells why.`));
    });
  });
}
