import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { TensorProto } from "../../packages/core/src/format/onnx/proto.ts";
import { readTensorProto } from "../../packages/core/src/format/onnx/proto-reader.ts";

/** One of the standard's own tests: a model, and what it makes of which inputs. */
export interface StandardCase {
  readonly name: string;
  readonly operators: readonly string[];
  readonly inputs: number;
  readonly outputs: number;
}

export interface StandardFiles {
  readonly model: Uint8Array;
  readonly inputs: readonly TensorProto[];
  readonly outputs: readonly TensorProto[];
}

/** As scripts/onnx-standard-tests.mjs, which writes them, names the folders. */
const cache = process.env["XDG_CACHE_HOME"] ?? "";
const root = join(cache === "" ? join(homedir(), ".cache") : cache, "slidelight", "onnx-standard");
const folder = join(root, "onnx-1.23.2-1");

/** The cases; where they have not been made, the reason. */
export async function standardCases(): Promise<readonly StandardCase[] | string> {
  const list = join(folder, "cases.json");
  if (existsSync(list)) return JSON.parse(await readFile(list, "utf8")) as readonly StandardCase[];
  const missing = join(root, "missing.txt");
  return existsSync(missing) ? readFile(missing, "utf8") : "run node scripts/onnx-standard-tests.mjs first";
}

export async function loadCase({ name, inputs, outputs }: StandardCase): Promise<StandardFiles> {
  const tensors = (kind: string, count: number): Promise<readonly TensorProto[]> =>
    Promise.all(
      Array.from({ length: count }, async (_, index) =>
        readTensorProto(await readFile(join(folder, name, `${kind}_${index}.pb`))),
      ),
    );
  return {
    model: await readFile(join(folder, name, "model.onnx")),
    inputs: await tensors("input", inputs),
    outputs: await tensors("output", outputs),
  };
}
