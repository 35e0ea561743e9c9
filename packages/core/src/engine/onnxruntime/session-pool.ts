import { InferenceSession } from "onnxruntime-node";
import { openWarmPool } from "../warm-pool.ts";
import type { PooledModel, WarmPool } from "../warm-pool.ts";

const sessionLimit = 16;

export interface CompiledModel extends PooledModel {
  /** An ONNX model, kept to compile it again. */
  readonly bytes: Uint8Array;
}

export type SessionPool = WarmPool<CompiledModel, InferenceSession>;

/**
 * ONNX Runtime's sessions by program. Compiling a U-Net again takes some 40 ms: nine programs of 1,216 px in turns are as
 * fast with one warm session (0.86 GB) as with two (1.5 GB), and slower with all nine (5.7 GB of fresh memory to touch).
 */
export function openSessionPool(
  options: InferenceSession.SessionOptions,
  { warmBytes }: { readonly warmBytes: number },
): SessionPool {
  return openWarmPool<CompiledModel, InferenceSession>({
    warmBytes,
    limit: sessionLimit,
    open: ({ bytes }) => InferenceSession.create(bytes, options),
    close: (session) => session.release(),
  });
}
