import { availableParallelism } from "node:os";
import type { Abortable } from "../../io/byte-source.ts";
import { checkSettings } from "../check-settings.ts";
import type { Engine } from "../engine.ts";
import { spareBytesOf, warmLimits } from "../memory.ts";
import type { WarmSettings } from "../memory.ts";
import { openProgramQueue } from "../program-queue.ts";
import { openWarmPool } from "../warm-pool.ts";
import { compilerOf } from "./compile.ts";
import { openDevice } from "./device.ts";
import { loadOpenVino } from "./library.ts";
import { overheads } from "./model.ts";
import type { OpenVinoModel } from "./model.ts";
import { closeRequest, openRequest } from "./request.ts";
import type { Request } from "./request.ts";
import { resizes } from "./resizes.ts";

export interface OpenVinoOptions extends Abortable, WarmSettings {
  /** Default: cpu. */
  readonly provider?: "cpu" | "gpu";
  /** Index of the GPU. Default: 0. */
  readonly device?: number;
  /** Threads that compute together on the CPU. Default: one for each core that the process may use. */
  readonly threads?: number;
  /** Path of the C library; where `npm run setup:openvino` puts it when absent. */
  readonly library?: string;
}

/** Compiled models at once: each holds the weights as its kernels like them. */
const modelLimit = 16;

/**
 * OpenVINO through its C library, by asynchronous foreign calls: it computes on threads of its own, and no JavaScript thread
 * waits. The graph's ONNX bytes are what it reads.
 * @throws {SlidelightError} `usage`; `engine-unavailable` where the library or the device is missing: how to get it.
 */
export async function openOpenVinoEngine(options: OpenVinoOptions = {}): Promise<Engine> {
  const { provider = "cpu", device: index = 0, threads = availableParallelism(), signal } = options;
  checkSettings(options);
  signal?.throwIfAborted();
  const library = loadOpenVino(options.library);
  const onCpu = provider === "cpu";
  const device = openDevice(library, onCpu ? "CPU" : `GPU.${index}`);
  const memory = device.memoryBytes === undefined ? {} : { memoryBytes: device.memoryBytes };
  const queue = openProgramQueue();
  const pool = openWarmPool<OpenVinoModel, Request>({
    warm: warmLimits(options, onCpu ? undefined : memory),
    spareBytes: spareBytesOf(provider),
    limit: modelLimit,
    open: (model) => openRequest(library, device, model, { threads }),
    close: (request) => closeRequest(library, request),
  });
  // On its GPU neither was measured.
  const measured = onCpu
    ? { composition: { channelMultiple: 1 }, resizes }
    : { composition: undefined, resizes: (): boolean => false };
  let closed = false;
  return {
    name: "openvino",
    provider,
    version: library.version,
    device: onCpu ? `${device.fullName}, ${threads} threads` : device.fullName,
    precisions: device.precisions,
    widest: "float32",
    keepsOrder: true,
    alikeTiles: false,
    ...measured,
    overhead: overheads.ofOneSize,
    resizedOverhead: overheads.ofAllSizes,
    ...memory,
    compile: compilerOf({ library, pool, queue, resizes: measured.resizes }),
    [Symbol.asyncDispose]: async () => {
      if (closed) return;
      closed = true;
      await queue[Symbol.asyncDispose]();
      await pool[Symbol.asyncDispose]();
      library.free("freeCore", device.core);
    },
  };
}
