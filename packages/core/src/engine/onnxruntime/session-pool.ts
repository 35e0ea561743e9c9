import { InferenceSession } from "onnxruntime-node";
import { spareBytes } from "../memory.ts";
import type { WarmLimits } from "../memory.ts";
import { openWarmPool } from "../warm-pool.ts";
import type { PooledModel, WarmPool } from "../warm-pool.ts";

const sessionLimit = 16;

export interface CompiledModel extends PooledModel {
  /** An ONNX model, kept to compile it again. */
  readonly bytes: Uint8Array;
}

export type SessionPool = WarmPool<CompiledModel, InferenceSession>;

/** ONNX Runtime's sessions by program. Compiling a U-Net again takes some 40 ms. */
export function openSessionPool(
  options: InferenceSession.SessionOptions,
  { warm }: { readonly warm: WarmLimits },
): SessionPool {
  return openWarmPool<CompiledModel, InferenceSession>({
    warm,
    spareBytes,
    limit: sessionLimit,
    open: ({ bytes }) => InferenceSession.create(bytes, options),
    close: (session) => session.release(),
  });
}
