import { add } from "./build.ts";
import { flopsOf } from "./flops.ts";
import { graphOf, operandsOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { activationBytes, activationPeak } from "./memory.ts";
import type { Node } from "./node.ts";
import { mapNodes, withOperands } from "./rewrite.ts";
import { runTimeZero } from "./run-time-zero.ts";

export interface RecomputeOptions {
  /** What `peakActivationBytes` should not exceed. */
  readonly memoryBytes: number;
}

/** Rounds at most: each gives up one value. A U-Net's gradient holds some thirty across its peak. */
const roundLimit = 100;

/**
 * The same values with less alive at once (rematerialisation; Chen et al. 2016, arXiv 1604.06174): while the peak is
 * above the budget, the value that is cheapest to compute again for each byte that it holds across the peak, unused
 * there, is let go and computed again from what is kept when it is next needed. Where no such value is left, the graph
 * is above the budget still: `peakActivationBytes` tells.
 *
 * Engines merge equal operators, and run what is ready as early as they like. So what is computed again starts from kept
 * values plus a zero that is made, at run time, of the value that was computed last before: they can neither tell that it
 * is the same nor start earlier. Where that value is NaN, so is the result.
 */
export function recompute(graph: Graph, options: RecomputeOptions): Graph {
  let current = graph;
  for (let round = 0; round < roundLimit; round += 1) {
    const peak = activationPeak(current);
    if (peak.bytes <= options.memoryBytes || peak.node === undefined) break;
    const next = lessAlive(current, peak.node, peak.bytes);
    if (next === undefined) break;
    current = next;
  }
  return current;
}

/** The cheapest of the graphs that hold one value less at the peak and need less in all. */
function lessAlive(graph: Graph, at: Node, bytes: number): Graph | undefined {
  const timeline = timelineOf(graph);
  const peak = timeline.position.get(at) ?? 0;
  const candidates = timeline.order
    .flatMap((node) => {
      const cost = costOf(timeline, peak, node);
      return cost === undefined ? [] : [{ node, cost: cost / activationBytes(node) }];
    })
    .toSorted((a, b) => a.cost - b.cost);
  for (const { node } of candidates) {
    const next = without(graph, timeline, peak, node);
    if (activationPeak(next).bytes < bytes) return next;
  }
  return undefined;
}

/** The order in which nodes run. */
interface Timeline {
  readonly order: readonly Node[];
  readonly position: ReadonlyMap<Node, number>;
  /** Positions of a value's users, ascending; an output is used at the end. */
  readonly uses: ReadonlyMap<Node, readonly number[]>;
}

function timelineOf(graph: Graph): Timeline {
  const roots = Object.values(graph.outputs);
  const order = topologicalOrder(roots);
  const uses = new Map<Node, number[]>();
  const use = (node: Node, position: number): void => {
    const known = uses.get(node);
    if (known === undefined) uses.set(node, [position]);
    else known.push(position);
  };
  for (const [position, node] of order.entries()) for (const operand of operandsOf(node)) use(operand, position);
  for (const root of roots) use(root, order.length);
  return { order, position: new Map(order.map((node, index) => [node, index])), uses };
}

/** Whether a value was computed before the peak and is next used after it. */
function isIdle({ position, uses }: Timeline, peak: number, node: Node): boolean {
  const positions = uses.get(node) ?? [];
  return (position.get(node) ?? 0) < peak && !positions.includes(peak) && positions.some((use) => use > peak);
}

function isFloating({ type }: Node): boolean {
  return type === "float32" || type === "float64";
}

/** Whether a value is there after the peak, whatever is let go. */
function isKept({ uses }: Timeline, peak: number, node: Node): boolean {
  return node.op === "Constant" || (uses.get(node) ?? []).some((use) => use >= peak);
}

/**
 * Floating-point operations of computing an idle value again, with all that was freed on the way; `undefined` where it
 * is not idle, is an output, or can't be computed again.
 */
function costOf(timeline: Timeline, peak: number, node: Node): number | undefined {
  const { order, uses } = timeline;
  if (!isIdle(timeline, peak, node) || operandsOf(node).length === 0) return undefined;
  if ((uses.get(node) ?? []).includes(order.length)) return undefined;
  let total = 0;
  const seen = new Set<Node>();
  const open = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    total += flopsOf(next);
    for (const operand of operandsOf(next)) {
      if (isKept(timeline, peak, operand)) {
        // A zero can be added to floating-point values alone.
        if (operand.op !== "Constant" && !isFloating(operand)) return undefined;
      } else if (operandsOf(operand).length === 0) return undefined;
      else open.push(operand);
    }
  }
  return total;
}

/** The graph in which the users of `gone` after the peak use it computed again. */
function without(graph: Graph, timeline: Timeline, peak: number, gone: Node): Graph {
  const { order, position, uses } = timeline;
  const rewritten = new Map<Node, Node>();
  const mapped = (node: Node): Node => rewritten.get(node) ?? node;
  const again = new Map<Node, Node>();
  const nextUse = (uses.get(gone) ?? []).find((use) => use > peak) ?? order.length;
  const before = order
    .slice(0, nextUse)
    .findLast((node) => (position.get(node) ?? 0) >= peak && isFloating(node) && node.op !== "Constant");
  const computedAgain = (node: Node): Node => {
    const known = again.get(node);
    if (known !== undefined) return known;
    const made = withOperands(node, (operand) => {
      if (operand.op === "Constant") return operand;
      if (operand === gone || !isKept(timeline, peak, operand)) return computedAgain(operand);
      return before === undefined ? mapped(operand) : add(mapped(operand), runTimeZero(mapped(before), operand));
    });
    again.set(node, made);
    return made;
  };
  for (const [index, node] of order.entries()) {
    const operands = (operand: Node): Node =>
      operand === gone && index > peak ? computedAgain(gone) : mapped(operand);
    rewritten.set(node, withOperands(node, operands));
  }
  return graphOf(mapNodes(graph.outputs, mapped));
}
