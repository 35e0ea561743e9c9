import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const python = process.env["SLIDELIGHT_PYTHON"] ?? "python3";

/** Why PyTorch can't be compared with; `undefined` where it can. */
export async function whatIsMissing(modules = ["torch", "numpy", "pytorch_grad_cam"]) {
  try {
    await promisify(execFile)(python, ["-c", `import ${modules.join(", ")}`]);
    return undefined;
  } catch (error) {
    const last = String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1);
    return `${python} has not all of ${modules.join(", ")} (${last}). Install torch and grad-cam, or set SLIDELIGHT_PYTHON to a Python that has them.`;
  }
}

/** Whether PyTorch can compute on an NVIDIA GPU here. */
export async function hasCuda() {
  try {
    const { stdout } = await promisify(execFile)(python, ["-c", "import torch; print(torch.cuda.is_available())"]);
    return stdout.trim() === "True";
  } catch {
    return false;
  }
}

/** Writes a network's weights and an image's pixels; gives the line that tells Python of them. */
export async function prepare(folder, { network, pixels, width, height, tile, device = "cpu" }) {
  const weights = join(folder, "weights.f32");
  const image = join(folder, "pixels.rgb");
  const tensors = Object.entries(network.parameters);
  await writeFile(weights, Buffer.concat(tensors.map(([, { data }]) => Buffer.from(data.buffer))));
  await writeFile(image, pixels);
  return JSON.stringify({
    weights,
    layout: tensors.map(([name, { shape }]) => ({ name, shape })),
    image,
    width,
    height,
    tile,
    device,
    depth: network.settings.depth,
  });
}

/** Lets glibc keep what PyTorch gives back: by default each large value is fresh memory. */
export const keepingMemory = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
  MALLOC_TOP_PAD_: String(2 ** 28),
};

/** A process that runs the variants it is asked for. Compiled ones want their own: compiling does not succeed everywhere. */
export async function startPython(setup, { script = "pytorch.py", environment = {} } = {}) {
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let fault;
  const ask = async (text, limitMs) => {
    if (fault !== undefined) return { error: fault };
    const timer =
      limitMs === undefined
        ? undefined
        : setTimeout(() => {
            fault = `took more than ${limitMs / 60_000} minutes`;
            child.kill("SIGKILL");
          }, limitMs);
    child.stdin.write(`${text}\n`);
    const { value, done } = await lines.next();
    clearTimeout(timer);
    if (done !== true) return JSON.parse(value);
    fault ??= "its process ended early, its messages are above";
    return { error: fault };
  };
  child.stdin.on("error", () => undefined);
  const greeting = await ask(setup);
  if (greeting.error !== undefined) throw new Error(`Starting PyTorch: ${greeting.error}.`);
  return {
    greeting,
    ask,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
