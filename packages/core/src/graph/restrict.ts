import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Interval } from "../geometry/interval.ts";
import { hull, isEmpty } from "../geometry/interval.ts";
import type { Region } from "../geometry/rectangle.ts";
import { input, slice } from "./build.ts";
import { graphOf, operandsOf } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { analyseLocality } from "./locality.ts";
import type { LocalityAnalysis } from "./locality.ts";
import { restrictedCoordinate } from "./locality/layout.ts";
import { extentAlong } from "./locality/rule.ts";
import type { Along, Layout, Local, SpatialAxis } from "./locality/rule.ts";
import type { Node, NodeOf } from "./node.ts";
import { withOperands } from "./rewrite.ts";
import { separateChannels } from "./separate-channels.ts";

/** How to compute parts of a whole-image graph's outputs, exactly, from parts of its inputs. */
export interface RestrictionPlan {
  /** Equal keys (of one restriction): equal graphs, so that one compiled program serves both tiles. */
  readonly key: string;
  /** For each spatial Input of the whole graph that is needed: the region of it that the part's Input takes. */
  readonly inputRegions: Readonly<Record<string, Region>>;
  /** Inputs [1] float32 that the pass adds for Coordinates: the start to feed, counted in the whole image. */
  readonly origins: Readonly<Record<string, number>>;
  /** The graph of the part: the same input and output names. */
  build(): Graph;
}

/** A whole-image graph, ready to be restricted to any part. */
export interface Restriction {
  /**
   * `regions`: for each output the part that is wanted, in the output's own cells.
   * @throws {RangeError} when a region is missing, empty, or reaches beyond its output.
   */
  plan(regions: Readonly<Record<string, Region>>): RestrictionPlan;
}

export interface RestrictionOptions {
  /** Whether ranges of channels are cut for themselves. Default: true; off to measure what it gains. */
  readonly separateChannels?: boolean;
}

/**
 * The needed-region pass. From the wanted part of each output it walks back and notes, along each image axis, which
 * interval of every value is needed (the hull over its consumers, clipped to the value's true extent); then each node
 * is built so that it computes just that, padded only where its window crosses the true border. In exact arithmetic
 * the result equals the whole-image graph's, for any graph of local operators.
 * @throws {SlidelightError} `model-not-local` naming the node for which no window is enough.
 */
export function prepareRestriction(
  given: Readonly<Record<string, Node>>,
  options: RestrictionOptions = {},
): Restriction {
  const outputs = (options.separateChannels ?? true) ? separateChannels(given) : given;
  const analysis = analyseLocality(Object.values(outputs));
  for (const node of analysis.order) {
    const locality = analysis.of(node);
    if ("reason" in locality) {
      throw new SlidelightError(
        "model-not-local",
        `Cutting the graph into tiles: ${node.op} "${node.name}" ${locality.reason}.`,
        {
          detail: { node: node.name, operator: node.op, reason: locality.reason },
        },
      );
    }
  }
  // Tiles of one column share their horizontal plan, tiles of one row their vertical one.
  const plans = [new Map<string, AxisPlan>(), new Map<string, AxisPlan>()] as const;
  return {
    plan: (regions) => {
      const along = (axis: SpatialAxis): AxisPlan => {
        const wanted = Object.entries(outputs).map(([name, node]) => {
          const interval = intervalOf(regions, name, axis);
          const locality = analysis.of(node);
          if (isLocal(locality)) expectInside(name, interval, extentAlong(node, locality.layout, axis));
          return interval;
        });
        const key = wanted.map(({ start, end }) => `${start}:${end}`).join(",");
        const known = plans[axis].get(key);
        if (known !== undefined) return known;
        const plan = planAxis(analysis, Object.values(outputs), wanted, axis);
        plans[axis].set(key, plan);
        return plan;
      };
      return combine(analysis, outputs, along(0), along(1), regions);
    },
  };
}

function intervalOf(regions: Readonly<Record<string, Region>>, name: string, axis: SpatialAxis): Interval {
  const region = regions[name];
  if (region === undefined) throw new RangeError(`The output "${name}" has no region.`);
  return axis === 0 ? region.y : region.x;
}

function expectInside(name: string, { start, end }: Interval, extent: number): void {
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= extent) return;
  throw new RangeError(
    `Cutting the output "${name}": expected a part of its positions 0 to ${extent}, got ${start} to ${end}.`,
  );
}

/** What one axis needs of every node. */
interface AxisPlan {
  readonly needed: ReadonlyMap<Node, Interval>;
  readonly along: ReadonlyMap<Node, Along>;
  readonly key: string;
}

function planAxis(
  analysis: LocalityAnalysis,
  outputs: readonly Node[],
  wanted: readonly Interval[],
  axis: SpatialAxis,
): AxisPlan {
  const needed = new Map<Node, Interval>();
  const along = new Map<Node, Along>();
  const need = (node: Node, interval: Interval): void => {
    if (isEmpty(interval)) return;
    const before = needed.get(node);
    needed.set(node, before === undefined ? interval : hull(before, interval));
  };
  outputs.forEach((node, index) => {
    const interval = wanted[index];
    if (interval !== undefined) need(node, interval);
  });
  const key: number[] = [];
  for (const node of analysis.order.toReversed()) {
    const interval = needed.get(node);
    const locality = analysis.of(node);
    if (interval === undefined || !isLocal(locality)) continue;
    const step = locality.along(axis, interval);
    along.set(node, step);
    operandsOf(node).forEach((operand, index) => {
      const part = step.needs[index];
      if (part !== undefined) need(operand, part);
    });
  }
  // Where parts lie in each other, and what the rules make of it, is all that a graph depends on.
  for (const node of analysis.order) {
    const interval = needed.get(node);
    const step = along.get(node);
    if (interval === undefined) {
      key.push(-1);
      continue;
    }
    key.push(interval.end - interval.start, ...(step?.recipe ?? []));
    // What is no image is cut where the tile lies.
    if (!isLocal(analysis.of(node))) key.push(interval.start);
    operandsOf(node).forEach((operand, index) => {
      const part = step?.needs[index];
      const whole = needed.get(operand);
      if (part === undefined) return;
      if (isEmpty(part) || whole === undefined) key.push(0);
      else key.push(part.end - part.start, part.start - whole.start);
    });
  }
  outputs.forEach((node, index) => {
    const interval = wanted[index];
    const whole = needed.get(node);
    if (interval !== undefined && whole !== undefined)
      key.push(interval.start - whole.start, interval.end - interval.start);
  });
  return { needed, along, key: key.join(" ") };
}

function isLocal(locality: ReturnType<LocalityAnalysis["of"]>): locality is Local {
  return "layout" in locality && locality.layout !== undefined;
}

function combine(
  analysis: LocalityAnalysis,
  outputs: Readonly<Record<string, Node>>,
  vertical: AxisPlan,
  horizontal: AxisPlan,
  regions: Readonly<Record<string, Region>>,
): RestrictionPlan {
  const inputRegions: Record<string, Region> = {};
  const origins: Record<string, number> = {};
  const originOf = new Map<Node, string>();
  for (const node of analysis.order) {
    const region = regionOf(node, vertical, horizontal);
    if (node.op === "Input" && node.attributes.spatial !== undefined && region !== undefined)
      inputRegions[node.name] = region;
    if (node.op === "Coordinate" && region !== undefined) {
      const name = `origin.${originOf.size}`;
      originOf.set(node, name);
      origins[name] = startOfCoordinate(node, region);
    }
  }
  return {
    key: `${vertical.key} | ${horizontal.key}`,
    inputRegions,
    origins,
    build: () => build(analysis, outputs, vertical, horizontal, regions, originOf),
  };
}

function regionOf(node: Node, vertical: AxisPlan, horizontal: AxisPlan): Region | undefined {
  const y = vertical.needed.get(node);
  const x = horizontal.needed.get(node);
  return y === undefined || x === undefined ? undefined : { y, x };
}

function startOfCoordinate(node: NodeOf<"Coordinate">, region: Region): number {
  const { axis, rank } = node.attributes;
  return axis === rank - 2 ? region.y.start : axis === rank - 1 ? region.x.start : 0;
}

interface Part {
  readonly node: Node;
  readonly layout: Layout;
  readonly region: Region;
}

function build(
  analysis: LocalityAnalysis,
  outputs: Readonly<Record<string, Node>>,
  vertical: AxisPlan,
  horizontal: AxisPlan,
  regions: Readonly<Record<string, Region>>,
  originOf: ReadonlyMap<Node, string>,
): Graph {
  const parts = new Map<Node, Part>();
  const globals = new Map<Node, Node>();
  /** What `node`, whose image axes are `around`, takes of an operand. */
  const cut = (
    { node, around }: { readonly node: Node; readonly around: Layout },
    operand: Node,
    y: Interval | undefined,
    x: Interval | undefined,
  ): Node | undefined => {
    if (y === undefined && x === undefined) return globals.get(operand) ?? parts.get(operand)?.node ?? operand;
    if ((y !== undefined && isEmpty(y)) || (x !== undefined && isEmpty(x))) return undefined;
    const part = parts.get(operand);
    if (part === undefined) {
      const whole = globals.get(operand) ?? operand;
      // A value that is no image broadcasts to one: its axes are counted from the last.
      const missing = node.shape.length - whole.shape.length;
      return sliceTo(whole, [around[0] - missing, around[1] - missing], y, x, { y: 0, x: 0 });
    }
    return sliceTo(part.node, part.layout, y, x, { y: part.region.y.start, x: part.region.x.start });
  };

  for (const node of analysis.order) {
    const locality = analysis.of(node);
    if (!isLocal(locality)) {
      globals.set(
        node,
        withOperands(node, (operand) => globals.get(operand) ?? operand),
      );
      continue;
    }
    const region = regionOf(node, vertical, horizontal);
    if (region === undefined) continue;
    const { layout } = locality;
    const [rows, columns] = [region.y.end - region.y.start, region.x.end - region.x.start];
    if (node.op === "Input") {
      const shape = withExtents(node.shape, layout, rows, columns);
      parts.set(node, { node: input(node.name, { ...node.attributes, shape }), layout, region });
      continue;
    }
    if (node.op === "Coordinate") {
      const size = extentAlongCoordinate(node, rows, columns);
      const origin = input(originOf.get(node) ?? "", { type: "float32", shape: [1] });
      parts.set(node, { node: restrictedCoordinate(node, size, origin), layout, region });
      continue;
    }
    const y = vertical.along.get(node);
    const x = horizontal.along.get(node);
    if (y === undefined || x === undefined) continue;
    const operands = operandsOf(node).map((operand, index) =>
      cut({ node, around: layout }, operand, y.needs[index], x.needs[index]),
    );
    parts.set(node, { node: locality.apply([y.recipe, x.recipe], operands), layout, region });
  }

  const results: Record<string, Node> = {};
  for (const [name, node] of Object.entries(outputs)) {
    const region = regions[name];
    const part = parts.get(node);
    if (region === undefined) continue;
    if (part === undefined) results[name] = globals.get(node) ?? node;
    else {
      const start = { y: part.region.y.start, x: part.region.x.start };
      results[name] = sliceTo(part.node, part.layout, region.y, region.x, start);
    }
  }
  return graphOf(results);
}

function withExtents(shape: readonly number[], layout: Layout, rows: number, columns: number): readonly number[] {
  return shape.map((extent, axis) => (axis === layout[0] ? rows : axis === layout[1] ? columns : extent));
}

function extentAlongCoordinate(node: NodeOf<"Coordinate">, rows: number, columns: number): number {
  const { axis, rank, size } = node.attributes;
  return axis === rank - 2 ? rows : axis === rank - 1 ? columns : size;
}

/** The positions [y) x [x) of a part that starts at `start`; an axis of extent 1, which broadcasts, stays as it is. */
function sliceTo(
  node: Node,
  layout: Layout,
  y: Interval | undefined,
  x: Interval | undefined,
  start: { readonly y: number; readonly x: number },
): Node {
  const starts = node.shape.map(() => 0);
  const sizes = [...node.shape];
  const narrow = (axis: number, interval: Interval | undefined, from: number): void => {
    if (interval === undefined || axis < 0) return;
    starts[axis] = interval.start - from;
    sizes[axis] = interval.end - interval.start;
  };
  narrow(layout[0], y, start.y);
  narrow(layout[1], x, start.x);
  return slice(node, { starts, sizes });
}
