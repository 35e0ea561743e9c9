import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Size } from "../geometry/rectangle.ts";
import { roundUp } from "../geometry/round-up.ts";
import {
  cast,
  constant,
  div,
  input,
  mul,
  pad,
  reshape,
  scalarConstant,
  slice,
  sub,
  transpose,
} from "../graph/build.ts";
import { topologicalOrder } from "../graph/graph.ts";
import { findNonLocal } from "../graph/locality.ts";
import type { Node, NodeOf } from "../graph/node.ts";
import { totalStride } from "../graph/receptive-field.ts";
import { remembered } from "../graph/remembered.ts";
import { substitute } from "../graph/substitute.ts";
import { float32 } from "../graph/tensor.ts";
import { foldBatchNorm } from "./fold-batch-norm.ts";
import type { Model } from "./model.ts";
import type { Pool } from "./pool.ts";
import { nameOf, splitModel } from "./split.ts";
import type { Head } from "./split.ts";

export type Triple = readonly [number, number, number];

/** How pixels become the network's input: (value in 0..1 - mean) / std for each channel. */
export interface Preprocessing {
  readonly mean: Triple;
  readonly std: Triple;
}

/** A value inside the body, cropped to the cells that lie over the image. */
export interface Layer {
  readonly name: string;
  /** As the network computes it on the extended image: [1, C, height' / stride, width' / stride]. */
  readonly whole: Node;
  /** [1, C, ceil(height / stride), ceil(width / stride)] */
  readonly cropped: Node;
  /** Image pixels for each cell, [vertical, horizontal]. */
  readonly stride: readonly [number, number];
}

/** A pool whose layer and operand are cropped to the image. */
export interface NetworkPool extends Pool {
  /** Cells that are pooled. */
  readonly cells: number;
  readonly stride: readonly [number, number];
}

/**
 * The network on one whole image, symbolically: nothing is computed, so the image may be of any size.
 *
 * Reference semantics: the image is extended at its right and bottom edge, by repeating its last column and row, to a
 * multiple of the body's stride; the network runs on the whole; its features are cropped to the image, then pooled.
 */
export interface Network {
  readonly size: Size;
  /** Side that tile cores are multiples of: the body's total stride. */
  readonly stride: number;
  /** Pixels as they are read: [height, width, 3], spatial axes 0 and 1. */
  readonly image: NodeOf<"Input">;
  /** The extended, normalised input of the network: [1, 3, height', width']. */
  readonly input: Node;
  readonly pools: readonly [NetworkPool, ...NetworkPool[]];
  readonly head: Head;
  /** The pooled layer, which methods explain unless told otherwise. */
  readonly pooledLayer: Layer;
  /** Body values that have a name, in the order of computation. */
  readonly layers: readonly Layer[];
}

export interface NetworkOptions extends Preprocessing {
  readonly samples: "uint8" | "uint16";
}

const probeSizes = [1024, 1152, 960, 1280] as const;

/**
 * The body's total stride, found once for all images: every tile origin is a multiple of it.
 * @throws {SlidelightError} `model-not-local` naming the node that no tile can compute, `model-no-pool`, `model-shape`.
 */
export const bodyStride: (model: Model) => number = remembered((model) => {
  let fault: unknown;
  for (const side of probeSizes) {
    try {
      const { input: image, pools } = splitModel(model.instantiate({ width: side, height: side }));
      refuseNonLocal(pools.map((pool) => pool.operand));
      const strides = pools.flatMap((pool) => [...totalStride(pool.operand, image)]);
      return strides.reduce(leastCommonMultiple, 1);
    } catch (error) {
      if (!(error instanceof SlidelightError) || error.code !== "model-shape") throw error;
      fault ??= error;
    }
  }
  throw fault;
});

/**
 * The network for one image size.
 * @throws {SlidelightError} `model-not-local`, `model-no-pool`, `model-shape`, `model-operator`.
 */
export function networkFor(model: Model, size: Size, options: NetworkOptions): Network {
  const stride = bodyStride(model);
  const extended = { width: roundUp(size.width, stride), height: roundUp(size.height, stride) };
  const split = splitModel(foldBatchNorm(model.instantiate(extended)));
  refuseNonLocal(split.pools.map((pool) => pool.operand));

  const image = input("pixels", {
    type: options.samples,
    shape: [size.height, size.width, 3],
    spatial: [0, 1],
  });
  const networkInput = extend(normalise(image, size, options), size, extended);
  const body = substitute(
    split.pools.map((pool) => pool.operand),
    new Map<Node, Node>([[split.input, networkInput]]),
  );
  const layerOf = (node: Node): Layer => cropLayer(body(node), size, extended);
  const pools = split.pools.map((pool): NetworkPool => {
    const layer = layerOf(pool.layer);
    const operand = substitute([body(pool.operand)], new Map([[layer.whole, layer.cropped]]))(body(pool.operand));
    const [, , rows = 1, columns = 1] = operand.shape;
    return { ...pool, layer: layer.cropped, operand, cells: rows * columns, stride: layer.stride };
  });
  const [first, ...rest] = pools;
  const pooledLayer = layerOf(split.pools[0].layer);
  if (first === undefined) throw new RangeError("A split without a pool.");
  return {
    size,
    stride,
    image,
    input: networkInput,
    pools: [first, ...rest],
    head: split.head,
    pooledLayer: { ...pooledLayer, cropped: first.layer },
    layers: namedLayers(
      split.pools.map((pool) => body(pool.layer)),
      networkInput,
      size,
      extended,
    ),
  };
}

function refuseNonLocal(operands: readonly Node[]): void {
  const found = findNonLocal(operands);
  if (found === undefined) return;
  throw new SlidelightError(
    "model-not-local",
    `Checking that the model can be tiled: expected every value of the body to depend on a window around it, got ${nameOf(found.node)}: ${found.reason}. No halo makes tiles exact here; use a network without this operation in its body.`,
    { detail: { node: found.node.name, operator: found.node.op, reason: found.reason } },
  );
}

/** [height, width, 3] integers -> [1, 3, height, width] normalised. */
function normalise(image: NodeOf<"Input">, size: Size, options: NetworkOptions): Node {
  // Transposed last: channels that lie last are what some engines want to have.
  const planes = transpose(reshape(cast(image, "float32"), [1, size.height, size.width, 3]), [0, 3, 1, 2]);
  const unit = mul(planes, scalarConstant(options.samples === "uint8" ? 1 / 255 : 1 / 65535));
  const perChannel = (values: Triple): Node => constant(float32([1, 3, 1, 1], [...values]));
  const centred = options.mean.every((value) => value === 0) ? unit : sub(unit, perChannel(options.mean));
  return options.std.every((value) => value === 1) ? centred : div(centred, perChannel(options.std));
}

function extend(x: Node, size: Size, extended: Size): Node {
  return pad(x, {
    mode: "edge",
    before: [0, 0, 0, 0],
    after: [0, 0, extended.height - size.height, extended.width - size.width],
  });
}

function cropLayer(whole: Node, size: Size, extended: Size): Layer {
  const [, channels = 1, rows = 1, columns = 1] = whole.shape;
  const stride = [extended.height / rows, extended.width / columns] as const;
  const cropped = slice(whole, {
    starts: [0, 0, 0, 0],
    sizes: [1, channels, Math.ceil(size.height / stride[0]), Math.ceil(size.width / stride[1])],
    steps: [1, 1, 1, 1],
  });
  return { name: whole.name, whole, cropped, stride };
}

function namedLayers(operands: readonly Node[], networkInput: Node, size: Size, extended: Size): readonly Layer[] {
  const before = new Set(topologicalOrder([networkInput]));
  const layers: Layer[] = [];
  for (const node of topologicalOrder(operands)) {
    const [n, , rows = 0, columns = 0] = node.shape;
    const isImage = node.shape.length === 4 && n === 1 && rows > 0 && extended.height % rows === 0 && columns > 0;
    if (node.op === "Constant" || before.has(node) || node.name === "" || !isImage) continue;
    if (extended.width % columns === 0) layers.push(cropLayer(node, size, extended));
  }
  return layers;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
