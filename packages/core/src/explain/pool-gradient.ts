import { coordinate, equal, exp, input, mul, sub } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import type { NetworkPool } from "../model/network.ts";
import type { Reduction } from "../model/pool.ts";
import { cellsOf } from "./draft.ts";
import type { Declare, Draft, Variant } from "./draft.ts";
import type { StatisticTable } from "./explanation.ts";
import { maximumOf, statisticOf } from "./statistics.ts";
import type { Statistic } from "./statistics.ts";
import { dependsOnScores, resolveTarget } from "./target.ts";
import type { Target } from "./target.ts";

interface Incoming extends Variant {
  readonly pool: NetworkPool;
  readonly index: number;
  readonly declare: Declare;
}

/** dy/d(operand of the pool) at every cell, broadcastable. */
export function incomingGradient(draft: Draft, parts: Incoming): Node {
  const { pool, index, declare, suffix } = parts;
  const channels = pool.operand.shape[1] ?? 0;
  const weight = declare(`gradient.${index}${suffix}`, channels, {
    from: gradientSources(draft, parts.target),
    value: (statistics) => {
      const gradient = poolGradient(draft, parts, statistics);
      // A mean hands each of its N cells the N-th part.
      const cells = pool.reduction === "mean" ? cellsOf(draft.options, pool.stride, pool.operand) : 1;
      return gradient.map((value) => value / cells);
    },
  });
  return incomingRules[pool.reduction](weight, parts);
}

/** What a pool's gradient becomes at each cell, once the global values are known. */
const incomingRules: { readonly [R in Reduction]: (weight: Node, parts: Incoming) => Node } = {
  mean: (weight) => weight,
  sum: (weight) => weight,
  max: (weight, { pool, index, declare }) => {
    const [, channels = 0, rows = 0, columns = 0] = pool.operand.shape;
    const id = `pool.${index}`;
    const position = (axis: "row" | "column"): Node =>
      declare(`${id}.${axis}`, channels, { from: [id], value: (statistics) => maximumOf(statistics, id)[axis] });
    const here = (axis: 2 | 3, size: number, at: Node): Node => equal(coordinate({ axis, rank: 4, size }), at);
    return mul(mul(weight, here(2, rows, position("row"))), here(3, columns, position("column")));
  },
  "log-sum-exp": (weight, { pool, index, declare }) => {
    const id = `pool.${index}`;
    const pooled = declare(`${id}.value`, pool.operand.shape[1] ?? 0, {
      from: [id],
      value: (statistics) => pooledValue(pool, statisticOf(statistics, id), 1),
    });
    return mul(weight, exp(sub(pool.operand, pooled)));
  },
};

/** mean(G) at the pooled layer: the cells' shares of each pool's gradient sum to 1 (to N for a sum). */
export function closedMean(draft: Draft, parts: Variant & { readonly declare: Declare }): Node {
  const [pool] = draft.network.pools;
  const cells = cellsOf(draft.options, pool.stride, pool.operand);
  return parts.declare(`mean-gradient${parts.suffix}`, pool.operand.shape[1] ?? 0, {
    from: gradientSources(draft, parts.target),
    value: (statistics) => {
      const gradient = poolGradient(draft, { index: 0, target: parts.target }, statistics);
      return pool.reduction === "sum" ? gradient : gradient.map((value) => value / cells);
    },
  });
}

/** The statistics that dy/dv needs: none when the head is linear and the class is given. */
function gradientSources(draft: Draft, target: Target): readonly string[] {
  const known = draft.solver.linear && !dependsOnScores(target);
  return known ? [] : draft.network.pools.map((_, index) => `pool.${index}`);
}

function poolGradient(
  draft: Draft,
  parts: { readonly index: number; readonly target: Target },
  statistics: StatisticTable,
): Float64Array {
  const pooled = gradientSources(draft, parts.target).length === 0 ? undefined : pooledValues(draft, statistics);
  const gradients = draft.solver.gradient(cotangentOf(draft, parts.target, statistics), pooled);
  return at(gradients, parts.index);
}

export function cotangentOf(draft: Draft, target: Target, statistics: StatisticTable): Float64Array {
  const { head } = draft.network;
  const logits = dependsOnScores(target)
    ? draft.solver.logits(pooledValues(draft, statistics))
    : new Float64Array(head.classes);
  return resolveTarget(target, logits, draft.options.classes).cotangent;
}

export function pooledValues(draft: Draft, statistics: StatisticTable): readonly Float64Array[] {
  return draft.network.pools.map((pool, index) =>
    pooledValue(pool, statisticOf(statistics, `pool.${index}`), cellsOf(draft.options, pool.stride, pool.operand)),
  );
}

function pooledValue(pool: NetworkPool, statistic: Statistic, cells: number): Float64Array {
  switch (statistic.kind) {
    case "sum":
      return pool.reduction === "mean" ? statistic.sum.map((sum) => sum / cells) : statistic.sum;
    case "max":
      return statistic.max;
    case "log-sum-exp":
      return statistic.max.map((max, k) => max + Math.log(at(statistic.scaled, k)));
    default:
      return statistic satisfies never;
  }
}

/** Gradients stop at tiles that are not kept: nothing there is pooled. */
export function masks(draft: Draft, incoming: readonly Node[]): readonly Node[] {
  if (!draft.masked) return incoming;
  return incoming.map((gradient, index) => {
    const { operand } = at(draft.network.pools, index);
    const [, , rows = 0, columns = 0] = operand.shape;
    const kept = input(`kept.${index}`, { type: "float32", shape: [1, 1, rows, columns], spatial: [2, 3] });
    return mul(gradient, kept);
  });
}

function at<T>(items: ArrayLike<T>, index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`Index ${index} is outside of ${items.length} items.`);
  return item;
}
