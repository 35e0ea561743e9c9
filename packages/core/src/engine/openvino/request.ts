import { writeModelProto } from "../../format/onnx/proto-writer.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { Precision, RunResult } from "../engine.ts";
import { newTensor } from "../new-tensor.ts";
import type { Device } from "./device.ts";
import type { Handle, OpenVino } from "./library.ts";
import type { OpenVinoModel } from "./model.ts";
import { viewOf } from "./tensors.ts";

/** A compiled model with the one request that runs it. */
export interface Request {
  readonly compiled: Handle;
  readonly request: Handle;
}

const precisionHints: { readonly [P in Precision]: string } = { float32: "f32", bfloat16: "bf16", float16: "f16" };

/** Compiles a model, off the main thread. */
export async function openRequest(
  library: OpenVino,
  { core, name: device }: Pick<Device, "core" | "name">,
  model: OpenVinoModel,
  { threads }: { readonly threads: number },
): Promise<Request> {
  const properties = Object.entries({
    // Said on purpose: the default is bfloat16 where the processor has it.
    INFERENCE_PRECISION_HINT: precisionHints[model.precision],
    PERFORMANCE_HINT: "LATENCY",
    ...(device === "CPU" ? { INFERENCE_NUM_THREADS: String(threads), NUM_STREAMS: "1", ENABLE_CPU_PINNING: "NO" } : {}),
  }).map(([key, value]) => ({ key, value }));
  const bytes = writeModelProto(model.proto);
  const network = await library.makeAsync("readModel", (out) => [core, bytes, bytes.length, null, out]);
  try {
    for (const { name, extents } of model.bounded) {
      const rank = { min: extents.length, max: extents.length };
      // It is as right without them.
      await library.callAsync("reshape", network, name, { rank, dims: extents }).catch(() => undefined);
    }
    const compiled = await library.makeAsync("compile", (out) => [
      core,
      network,
      device,
      properties.length,
      properties,
      out,
    ]);
    try {
      return { compiled, request: library.make("createRequest", (out) => [compiled, out]) };
    } catch (error) {
      library.free("freeCompiled", compiled);
      throw error;
    }
  } finally {
    library.free("freeModel", network);
  }
}

/** Off the main thread: giving hundreds of megabytes back to the system takes its time. */
export async function closeRequest(library: OpenVino, { compiled, request }: Request): Promise<void> {
  await library.freeAsync("freeRequest", request);
  await library.freeAsync("freeCompiled", compiled);
}

/** Runs once, off the main thread: OpenVINO reads the inputs' buffers and writes the outputs' where they lie. */
export async function runRequest(
  library: OpenVino,
  { request }: Request,
  { graph, inputs }: { readonly graph: Graph; readonly inputs: Readonly<Record<string, Tensor>> },
): Promise<RunResult> {
  const given = graph.inputs.map(({ name }) => inputs[name]).filter((tensor) => tensor !== undefined);
  const outputs = Object.entries(graph.outputs).map(
    ([name, { type, shape }]) => [name, newTensor(type, shape)] as const,
  );
  const views: Handle[] = [];
  const view = (tensor: Tensor): Handle => {
    const handle = viewOf(library, tensor);
    views.push(handle);
    return handle;
  };
  try {
    // In the order of the ONNX file: one value may be several outputs, whose names OpenVINO takes for the same.
    given.forEach((tensor, index) => library.call("setInput", request, index, view(tensor)));
    outputs.forEach(([, tensor], index) => library.call("setOutput", request, index, view(tensor)));
    const started = performance.now();
    await library.callAsync("infer", request);
    const busySeconds = (performance.now() - started) / 1000;
    return { outputs: Object.fromEntries(outputs), spent: inputs, busySeconds };
  } finally {
    for (const handle of views) library.free("freeTensor", handle);
    // Referenced to the end: while OpenVINO computes, nothing else holds the buffers.
    keep(given, outputs);
  }
}

function keep(..._: readonly unknown[]): void {}
