import type { Node, NodeOf } from "../graph/node.ts";
import type { Layer, Network } from "../model/network.ts";
import type { Global, MapRequest, StatisticRequest } from "./explanation.ts";
import type { HeadSolver } from "./head.ts";
import type { MethodName } from "./methods/index.ts";
import type { Target } from "./target.ts";

export interface PlanOptions {
  readonly method: MethodName;
  readonly target: Target;
  readonly classes: readonly string[];
  /** Name of an inner layer; by default the pooled one. */
  readonly layer?: string;
  /**
   * Cells over which a value of this stride is pooled, when not all of the image is kept. With it, gradients that
   * cross into tiles that are not kept are masked by the Input `kept` [1, 1, h, w] at the pooled layer's cells.
   */
  readonly keptCells?: (stride: readonly [number, number]) => number;
  /** Whether sweeps without these masks are planned too. Default: false. */
  readonly unmasked?: boolean;
}

/** A map of the plan: for one possible answer to what the target is. */
export interface Variant {
  /** Behind every name of the variant. */
  readonly suffix: string;
  readonly target: Target;
}

/** A plan in the making. */
export interface Draft {
  readonly network: Network;
  readonly options: PlanOptions;
  readonly solver: HeadSolver;
  readonly layer: Layer;
  /** Whether gradients stop where nothing is kept. */
  readonly masked: boolean;
  readonly requests: readonly StatisticRequest[];
  /** By name, shared by all variants: a global is one Input however often it is asked for. */
  readonly globals: Map<string, Global>;
  readonly maps: readonly MapRequest[];
}

/** Makes a global, or finds it when it was asked for before. */
export type Declare = (name: string, channels: number, rest: Omit<Global, "node">) => NodeOf<"Input">;

/** Cells of a value that are pooled. */
export function cellsOf(options: PlanOptions, stride: readonly [number, number], value: Node): number {
  const [, , rows = 0, columns = 0] = value.shape;
  return options.keptCells?.(stride) ?? rows * columns;
}
