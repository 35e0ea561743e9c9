import { SlidelightError } from "../errors/slidelight-error.ts";
import { receptiveField } from "../graph/receptive-field.ts";
import { sizeOf } from "../graph/tensor.ts";
import { topologicalOrder } from "../graph/graph.ts";
import type { Model } from "./model.ts";
import { bodyStride, networkFor } from "./network.ts";
import { splitModel } from "./split.ts";

/** What `inspect` tells about a model. */
export interface ModelDescription {
  readonly sha256: string;
  readonly description?: string;
  /** Names, or indices where the model has none. */
  readonly classes: readonly string[];
  readonly parameters: number;
  readonly pools: readonly { readonly label: string; readonly layer: string; readonly channels: number }[];
  /** Operators of the head, in order. */
  readonly head: readonly string[];
  /** Whether the model ends in one, which is left away. */
  readonly softmax: boolean;
  readonly sigmoid: boolean;
  readonly tiling:
    | {
        readonly exact: true;
        /** Image pixels that tile cores are multiples of. */
        readonly stride: number;
        /** Largest distance in pixels over which the input has influence on a pooled value. */
        readonly receptiveRadius: number;
        /** What is read around a tile's core, in pixels: for forward methods, and for gradients to the input. */
        readonly halo: number;
        readonly gradientHalo: number;
      }
    | { readonly exact: false; readonly node: string; readonly operator: string; readonly reason: string };
  /** Layers that can be explained, the pooled one last. */
  readonly layers: readonly { readonly name: string; readonly channels: number; readonly stride: number }[];
}

/**
 * Describes a model, also one that cannot be tiled.
 * @throws {SlidelightError} `model-no-pool`, `model-operator`, `model-shape`, `model-input`.
 */
export function describeModel(model: Model): ModelDescription {
  const tiling = describeTiling(model);
  const side = tiling.exact ? Math.ceil(1024 / tiling.stride) * tiling.stride : 1024;
  const split = splitModel(model.instantiate({ width: side, height: side }));
  const order = topologicalOrder([split.head.logits, ...split.pools.map((pool) => pool.operand)]);
  const names = model.classes;
  return {
    sha256: model.sha256,
    ...(model.description === undefined ? {} : { description: model.description }),
    classes:
      names?.length === split.head.classes ? names : Array.from({ length: split.head.classes }, (_, i) => String(i)),
    parameters: order.reduce((sum, node) => sum + (node.op === "Constant" ? sizeOf(node.shape) : 0), 0),
    pools: split.pools.map(({ label, layer, operand }) => ({
      label,
      layer: layer.name,
      channels: operand.shape[1] ?? 0,
    })),
    head: topologicalOrder([split.head.logits])
      .filter((node) => node.op !== "Constant" && node.op !== "Input")
      .map((node) => node.op),
    softmax: split.head.activation === "softmax",
    sigmoid: split.head.activation === "sigmoid",
    tiling,
    layers: tiling.exact ? layersOf(model, side) : [],
  };
}

function describeTiling(model: Model): ModelDescription["tiling"] {
  try {
    const stride = bodyStride(model);
    const side = Math.ceil(1024 / stride) * stride;
    const { input, pools } = splitModel(model.instantiate({ width: side, height: side }));
    const fields = pools.map((pool) => receptiveField(pool.operand, input));
    const radius = Math.max(...fields.flatMap(({ before, after }) => [...before, ...after]));
    const halo = Math.ceil(radius / stride) * stride;
    return {
      exact: true,
      stride,
      receptiveRadius: radius,
      halo,
      gradientHalo: Math.ceil((2 * radius) / stride) * stride,
    };
  } catch (error) {
    if (!(error instanceof SlidelightError) || error.code !== "model-not-local") throw error;
    const { node = "", operator = "", reason = "" } = error.detail;
    return { exact: false, node: String(node), operator: String(operator), reason: String(reason) };
  }
}

function layersOf(model: Model, side: number): ModelDescription["layers"] {
  const network = networkFor(
    model,
    { width: side, height: side },
    { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] },
  );
  return network.layers.map(({ name, whole, stride }) => ({
    name,
    channels: whole.shape[1] ?? 0,
    stride: Math.max(...stride),
  }));
}
