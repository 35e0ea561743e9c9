import { input } from "../graph/build.ts";
import { topologicalOrder } from "../graph/graph.ts";
import type { Node, NodeOf } from "../graph/node.ts";
import { substitute } from "../graph/substitute.ts";
import type { Explanation, Outcome, StatisticRequest, StatisticTable, Sweep, SweepPlan } from "./explanation.ts";

/** Several explanations of one network on one image, computed in the same visits to its tiles. */
export interface JointExplanation extends SweepPlan {
  /** What is known of each explanation once its statistics are; its map under the name that it has here. */
  outcome(index: number, statistics: StatisticTable): Outcome;
}

/**
 * Joins explanations: each makes its maps in the sweep in which it would by itself, and what they have in common, such as
 * the forward pass, is computed once. Names get the explanation's number in front, so that they stay apart.
 * @param explanations At least one; all planned on the same `Network` object.
 */
export function joinExplanations(explanations: readonly [Explanation, ...Explanation[]]): JointExplanation {
  const { network } = explanations[0];
  const shared = new Map<string, NodeOf<"Input">>();
  const parts = explanations.map((explanation, index) => renamed(explanation.sweeps, `${index}.`, shared));
  const aliases = commonStatistics(parts.flat());
  const together = (parts: readonly (readonly Sweep[])[]): readonly Sweep[] => {
    const count = Math.max(...parts.map(({ length }) => length));
    return Array.from({ length: count }, (_, index): Sweep => {
      const visits = parts.flatMap((sweeps) => sweeps.slice(index, index + 1));
      return {
        statistics: visits.flatMap(({ statistics }) => statistics).filter(({ id }) => aliases.get(id) === id),
        maps: visits.flatMap(({ maps }) => maps),
      };
    });
  };
  const unmasked = explanations.map((explanation, index) => renamed(explanation.unmasked ?? [], `${index}.`, shared));
  const ownStatistics = (prefix: string, statistics: StatisticTable): StatisticTable =>
    new Map(
      [...aliases].flatMap(([id, source]) => {
        const statistic = id.startsWith(prefix) ? statistics.get(source) : undefined;
        return statistic === undefined ? [] : [[id.slice(prefix.length), statistic] as const];
      }),
    );
  return {
    network,
    sweeps: together(parts),
    ...(explanations.every((explanation) => explanation.unmasked !== undefined)
      ? { unmasked: together(unmasked) }
      : {}),
    globals: (statistics) =>
      new Map(
        explanations.flatMap((explanation, index) => {
          const own = explanation.globals(ownStatistics(`${index}.`, statistics));
          return [...own].map(([name, values]) => [`${index}.${name}`, values] as const);
        }),
      ),
    outcome: (index, statistics) => {
      const explanation = explanations[index];
      if (explanation === undefined) {
        throw new RangeError(`There are ${explanations.length} explanations, none is number ${index}.`);
      }
      const outcome = explanation.outcome(ownStatistics(`${index}.`, statistics));
      return { ...outcome, map: `${index}.${outcome.map}` };
    },
  };
}

/**
 * Its sweeps with `prefix` before every name. Inputs of image positions (the pixels, the masks of kept cells) mean the
 * same in every explanation: the first one's node stands for all.
 */
function renamed(sweeps: readonly Sweep[], prefix: string, shared: Map<string, NodeOf<"Input">>): readonly Sweep[] {
  const roots = sweeps.flatMap(({ statistics, maps }) => [
    ...statistics.map(({ of }) => of),
    ...maps.map(({ node }) => node),
  ]);
  const replacements = new Map<Node, Node>();
  for (const node of topologicalOrder(roots)) {
    if (node.op !== "Input") continue;
    if (node.attributes.spatial === undefined) replacements.set(node, input(`${prefix}${node.name}`, node.attributes));
    else {
      const first = shared.get(node.name) ?? node;
      shared.set(node.name, first);
      if (first !== node) replacements.set(node, first);
    }
  }
  const now = substitute(roots, replacements);
  return sweeps.map(({ statistics, maps }) => ({
    statistics: statistics.map((request) => ({ ...request, id: `${prefix}${request.id}`, of: now(request.of) })),
    maps: maps.map(({ id, node }) => ({ id: `${prefix}${id}`, node: now(node) })),
  }));
}

/** The id of the first statistic that is the same, for each statistic's id. */
function commonStatistics(sweeps: readonly Sweep[]): ReadonlyMap<string, string> {
  const seen: StatisticRequest[] = [];
  const aliases = new Map<string, string>();
  for (const request of sweeps.flatMap(({ statistics }) => statistics)) {
    const first = seen.find(({ of, kind }) => of === request.of && kind === request.kind);
    if (first === undefined) seen.push(request);
    aliases.set(request.id, first?.id ?? request.id);
  }
  return aliases;
}
