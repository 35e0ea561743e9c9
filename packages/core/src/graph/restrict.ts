// contract only; implementation in progress
import type { Region } from "../geometry/rectangle.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";

/** A graph that computes parts of a whole-image graph's outputs, exactly, from parts of its inputs. */
export interface RestrictedGraph {
  readonly graph: Graph;
  /** For each spatial Input of the whole graph: the region of it that `graph`'s Input of the same name takes. */
  readonly inputRegions: Readonly<Record<string, Region>>;
  /** Inputs [1] float32 that the pass added for Coordinate nodes: name -> the absolute start to feed. */
  readonly origins: Readonly<Record<string, number>>;
}
export interface RestrictionPlan {
  /** Equal keys: equal graphs (up to the origins), so that one compiled program serves. */
  readonly key: string;
  readonly inputRegions: Readonly<Record<string, Region>>;
  readonly origins: Readonly<Record<string, number>>;
  build(): Graph;
}
export type PlanRestriction = (outputs: Readonly<Record<string, Node>>, regions: Readonly<Record<string, Region>>) => RestrictionPlan;
