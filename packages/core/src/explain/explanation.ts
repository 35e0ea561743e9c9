import { SlidelightError } from "../errors/slidelight-error.ts";
import type { NodeOf } from "../graph/node.ts";
import type { Node } from "../graph/node.ts";
import { topologicalOrder } from "../graph/graph.ts";
import type { Network } from "../model/network.ts";
import type { Statistic, StatisticKind } from "./statistics.ts";
import type { ResolvedTarget, Target } from "./target.ts";

/** A vector of the whole image, fed to tiles as an Input once the statistics that it follows from are complete. */
export interface Global {
  readonly node: NodeOf<"Input">;
  /** Ids of the statistics that it needs. */
  readonly from: readonly string[];
  value(statistics: StatisticTable): Float64Array;
}

export type StatisticTable = ReadonlyMap<string, Statistic>;

/** A reduction over all cells of a whole-image value, made tile by tile. */
export interface StatisticRequest {
  readonly id: string;
  readonly kind: StatisticKind;
  /** [1, C, h, w] */
  readonly of: Node;
  /** Image pixels for each cell of `of`. */
  readonly stride: readonly [number, number];
}

/** A map, [1, 1, height, width], for one possible answer to what the target is. */
export interface MapRequest {
  readonly id: string;
  readonly node: Node;
}

/** One visit to every tile. */
export interface Sweep {
  readonly statistics: readonly StatisticRequest[];
  readonly maps: readonly MapRequest[];
}

/** What is known once the pools' statistics are. */
export interface Outcome {
  readonly logits: Float64Array;
  /** The vector that each pool gives. */
  readonly pooled: readonly Float64Array[];
  /** Softmax of the logits; the logistic function of a single one, and of each where the model ends in it. */
  readonly probabilities: Float64Array;
  readonly target: ResolvedTarget;
  /** Id of the map that explains the target. */
  readonly map: string;
}

/** Visits to the tiles of an image, and what a visit needs of those before. */
export interface SweepPlan {
  readonly network: Network;
  readonly sweeps: readonly Sweep[];
  /** The same sweeps without masks, for tiles that see nothing but what is kept; where they were asked for. */
  readonly unmasked?: readonly Sweep[];
  /** Globals whose statistics are all there, by input name. */
  globals(statistics: StatisticTable): ReadonlyMap<string, Float64Array>;
}

/** How one method explains one image: which sweeps, what they compute, and what follows from their statistics. */
export interface Explanation extends SweepPlan {
  readonly target: Target;
  /** Name of the layer that is explained; "input" for methods of the input. */
  readonly layer: string;
  outcome(statistics: StatisticTable): Outcome;
}

/** Puts each statistic and the maps into the first sweep in which everything that they need is known. */
export function scheduleSweeps(
  requests: readonly StatisticRequest[],
  maps: readonly MapRequest[],
  globals: readonly Global[],
): readonly Sweep[] {
  const sweeps: Sweep[] = [];
  const done = new Set<string>();
  let open = requests;
  for (;;) {
    const known = new Set<Node>(globals.filter(({ from }) => from.every((id) => done.has(id))).map(({ node }) => node));
    const isReady = (node: Node): boolean =>
      topologicalOrder([node]).every((part) => !isGlobal(part, globals) || known.has(part));
    const ready = open.filter((request) => isReady(request.of));
    const mapsReady = maps.every((map) => isReady(map.node));
    if (mapsReady && ready.length === open.length) return [...sweeps, { statistics: ready, maps }];
    if (ready.length === 0) {
      throw new SlidelightError("method-unsuitable", "Planning the sweeps: two statistics wait for each other.");
    }
    sweeps.push({ statistics: ready, maps: [] });
    for (const { id } of ready) done.add(id);
    open = open.filter((request) => !ready.includes(request));
  }
}

function isGlobal(node: Node, globals: readonly Global[]): boolean {
  return globals.some((global) => global.node === node);
}
