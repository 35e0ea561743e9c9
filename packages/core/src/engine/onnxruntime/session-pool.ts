import { InferenceSession } from "onnxruntime-node";
import { spareBytesOf } from "../memory.ts";
import { openWarmPool } from "../warm-pool.ts";
import type { PooledModel, WarmPool } from "../warm-pool.ts";
import type { ThreadSettings } from "./protocol.ts";

/** A large image's are 18: nine kinds of tiles, visited twice. Tiles that are alike have two sizes, in most archives. */
const sessionLimit = 40;

export interface CompiledModel extends PooledModel {
  /** An ONNX model, kept to compile it again. */
  readonly bytes: Uint8Array;
}

export type SessionPool = WarmPool<CompiledModel, InferenceSession>;

/** ONNX Runtime's sessions by program. Compiling a U-Net again takes some 40 ms. */
export function openSessionPool(
  options: InferenceSession.SessionOptions,
  { provider, warm }: Pick<ThreadSettings, "provider" | "warm">,
): SessionPool {
  return openWarmPool<CompiledModel, InferenceSession>({
    warm,
    spareBytes: spareBytesOf(provider),
    limit: sessionLimit,
    open: ({ bytes }) => InferenceSession.create(bytes, options),
    close: (session) => session.release(),
  });
}
