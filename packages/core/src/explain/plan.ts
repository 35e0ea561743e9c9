import { SlidelightError } from "../errors/slidelight-error.ts";
import { input, resize, slice } from "../graph/build.ts";
import { backpropagate, expandTo } from "../graph/gradient.ts";
import type { Node, NodeOf } from "../graph/node.ts";
import type { Layer, Network } from "../model/network.ts";
import type { Reduction } from "../model/pool.ts";
import type { Head } from "../model/split.ts";
import { cellsOf } from "./draft.ts";
import type { Declare, Draft, PlanOptions, Variant } from "./draft.ts";
import { scheduleSweeps } from "./explanation.ts";
import type { Explanation, Global, StatisticRequest, StatisticTable, Sweep } from "./explanation.ts";
import { factorGlobals } from "./factor-globals.ts";
import { solveHead } from "./head.ts";
import type { LayerContext, Method } from "./method.ts";
import { methods } from "./methods/index.ts";
import { closedMean, cotangentOf, incomingGradient, masks, pooledValues } from "./pool-gradient.ts";
import { sumOf } from "./statistics.ts";
import type { StatisticKind } from "./statistics.ts";
import { dependsOnScores, resolveTarget, targetForTop } from "./target.ts";

/** Up to this many classes get a map of their own when the target is only known after the last tile. */
const candidateLimit = 8;

/**
 * Plans the sweeps that explain one image by one method.
 * @throws {SlidelightError} `layer-unknown`, `method-unsuitable`.
 */
export function planExplanation(network: Network, options: PlanOptions): Explanation {
  const { target, classes } = options;
  const method: Method = methods[options.method];
  const solver = solveHead(network.head);
  const layer = chooseLayer(network, options.layer, method.explains);
  const poolRequests = network.pools.map((pool, index): StatisticRequest => {
    return { id: `pool.${index}`, kind: statisticKinds[pool.reduction], of: pool.operand, stride: pool.stride };
  });
  const draft = (masked: boolean): Draft => {
    return { network, options, solver, layer, masked, requests: poolRequests, globals: new Map(), maps: [] };
  };

  const byForwardPass = method.explains === "layer" && layer === network.pooledLayer;
  const candidates =
    dependsOnScores(target) && solver.linear && byForwardPass && network.head.classes <= candidateLimit;
  const variants: readonly Variant[] = candidates
    ? Array.from({ length: network.head.classes }, (_, index) => ({
        suffix: `@${index}`,
        target: targetForTop(target, index),
      }))
    : [{ suffix: "", target }];
  const complete = (masked: boolean): Draft => variants.reduce(withVariant, draft(masked));
  const masked = options.keptCells !== undefined;
  const final = complete(masked);

  const outcomeOf = (statistics: StatisticTable): ReturnType<Explanation["outcome"]> => {
    const pooled = pooledValues(final, statistics);
    const logits = solver.logits(pooled);
    const resolved = resolveTarget(target, logits, classes);
    const map = candidates ? `map@${resolved.index}` : "map";
    return { logits, pooled, probabilities: probabilitiesOf(logits, network.head), target: resolved, map };
  };
  return {
    network,
    target,
    sweeps: sweepsOf(final),
    ...(masked && options.unmasked === true ? { unmasked: sweepsOf(complete(false)) } : {}),
    layer: method.explains === "input" ? "input" : layer.name,
    globals: (statistics) =>
      new Map(
        [...final.globals.values()]
          .filter(({ from }) => from.every((id) => statistics.has(id)))
          .map((global) => [global.node.name, global.value(statistics)]),
      ),
    outcome: outcomeOf,
  };
}

function sweepsOf({ requests, maps, globals }: Draft): readonly Sweep[] {
  return scheduleSweeps(requests, maps, [...globals.values()]);
}

const statisticKinds: { readonly [R in Reduction]: StatisticKind } = {
  mean: "sum",
  sum: "sum",
  max: "max",
  "log-sum-exp": "log-sum-exp",
};

/** The draft with one map more: what the method makes of the network's values for one target. */
function withVariant(draft: Draft, { suffix, target }: Variant): Draft {
  const { network, options, layer } = draft;
  const requests: StatisticRequest[] = [];
  const declare = (name: string, channels: number, rest: Omit<Global, "node">): NodeOf<"Input"> => {
    const known = draft.globals.get(name);
    if (known !== undefined) return known.node;
    const node = input(name, { type: "float32", shape: [1, channels, 1, 1] });
    draft.globals.set(name, { node, ...rest });
    return node;
  };
  const incoming = network.pools.map((pool, index) =>
    incomingGradient(draft, { pool, index, target, suffix, declare }),
  );
  const gradientTo = (wrt: Node, what: string): Node => {
    const masked = layer === network.pooledLayer && wrt === layer.cropped ? incoming : masks(draft, incoming);
    const [found] = backpropagate(new Map(network.pools.map((pool, i) => [pool.operand, at(masked, i)])), [wrt]);
    if (found === undefined) {
      throw new SlidelightError("method-unsuitable", `Explaining ${what}: the class scores do not depend on it.`);
    }
    return found;
  };
  const method: Method = methods[options.method];
  const map =
    method.explains === "input"
      ? method.map({
          input: cropTo(network, network.input),
          gradient: () => cropTo(network, expandTo(gradientTo(network.input, "the input"), network.input.shape)),
        })
      : method.map(
          layerContext(draft, {
            suffix,
            target,
            declare,
            gradientTo,
            request: (request) => requests.push(request),
          }),
        );
  return {
    ...draft,
    requests: [...draft.requests, ...requests],
    maps: [...draft.maps, { id: `map${suffix}`, node: atImageResolution(network, map, method.explains, layer) }],
  };
}

interface LayerContextParts extends Variant {
  readonly declare: Declare;
  readonly gradientTo: (wrt: Node, what: string) => Node;
  readonly request: (request: StatisticRequest) => void;
}

function layerContext(draft: Draft, parts: LayerContextParts): LayerContext {
  const { network, solver, layer, options } = draft;
  const isPooled = layer === network.pooledLayer;
  const wrt = isPooled ? layer.cropped : layer.whole;
  const channels = layer.cropped.shape[1] ?? 0;
  const gradient = (): Node => {
    const whole = parts.gradientTo(wrt, `layer "${layer.name}"`);
    if (isPooled) return whole;
    return slice(expandTo(whole, wrt.shape), {
      starts: [0, 0, 0, 0],
      sizes: layer.cropped.shape,
    });
  };
  return {
    activation: layer.cropped,
    gradient,
    meanGradient: () => {
      const [only, ...others] = network.pools;
      if (isPooled && others.length === 0 && only.operand === only.layer) return closedMean(draft, parts);
      const value = gradient();
      if (value.shape[2] === 1 && value.shape[3] === 1) return value;
      const id = `mean-gradient${parts.suffix}`;
      const { factors, rest } = factorGlobals(value, draft.globals.values());
      parts.request({ id, kind: "sum", of: rest, stride: layer.stride });
      const cells = cellsOf(options, layer.stride, layer.cropped);
      return parts.declare(id, channels, {
        from: [id, ...factors.flatMap(({ from }) => from)],
        value: (statistics) => {
          const scales = factors.map((factor) => factor.value(statistics));
          return sumOf(statistics, id).map((sum, k) =>
            scales.reduce((mean, scale) => mean * at(scale, k), sum / cells),
          );
        },
      });
    },
    classWeights: () => {
      const known = solver.featureWeights(new Float64Array(network.head.classes)) !== undefined;
      if (!isPooled || !known) {
        throw new SlidelightError(
          "method-unsuitable",
          `Explaining by CAM: expected the pooled layer followed by one linear layer, got ${isPooled ? "a head that is not linear or has several pools" : `the inner layer "${layer.name}"`}. Use grad-cam, hires-cam or layer-cam instead.`,
        );
      }
      const needs = dependsOnScores(parts.target) ? network.pools.map((_, i) => `pool.${i}`) : [];
      return parts.declare(`class-weights${parts.suffix}`, channels, {
        from: needs,
        value: (statistics) => {
          const weights = solver.featureWeights(cotangentOf(draft, parts.target, statistics));
          if (weights === undefined) throw new RangeError("The head lost its weights.");
          return weights;
        },
      });
    },
  };
}

function chooseLayer(network: Network, name: string | undefined, explains: "layer" | "input"): Layer {
  if (name === undefined || name === network.pooledLayer.name) return network.pooledLayer;
  if (explains === "input") {
    throw new SlidelightError(
      "method-unsuitable",
      `Choosing the layer "${name}": this method explains the input and takes no layer. Leave --layer away.`,
    );
  }
  const layer = network.layers.find((candidate) => candidate.name === name);
  if (layer !== undefined) return layer;
  const names = network.layers.map((candidate) => candidate.name);
  const shown = names.length > 20 ? [...names.slice(0, 10), "…", ...names.slice(-9)] : names;
  throw new SlidelightError(
    "layer-unknown",
    `Choosing the layer "${name}": expected one of ${shown.join(", ")} (slidelight inspect <model> lists them all).`,
    { detail: { layer: name } },
  );
}

/** Cells of a layer stand for stride x stride pixels: interpolated linearly between their centres, as is usual. */
function atImageResolution(network: Network, map: Node, explains: "layer" | "input", layer: Layer): Node {
  const [vertical, horizontal] = explains === "input" ? [1, 1] : layer.stride;
  if (vertical === 1 && horizontal === 1) return map;
  return cropTo(network, resize(map, { mode: "linear", scales: [vertical, horizontal], coordinates: "half_pixel" }));
}

function cropTo(network: Network, x: Node): Node {
  const [n = 1, channels = 1] = x.shape;
  return slice(x, { starts: [0, 0, 0, 0], sizes: [n, channels, network.size.height, network.size.width] });
}

/** Classes exclude one another, unless the model gives each a probability of its own. */
function probabilitiesOf(logits: Float64Array, { activation }: Head): Float64Array {
  if (logits.length === 1 || activation === "sigmoid") return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const scaled = logits.map((logit) => Math.exp(logit - max));
  const sum = scaled.reduce((a, b) => a + b, 0);
  return scaled.map((value) => value / sum);
}

function at<T>(items: ArrayLike<T>, index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`Index ${index} is outside of ${items.length} items.`);
  return item;
}
