import {
  add,
  cast,
  clip as clipped,
  div as quotient,
  equal,
  greater,
  greaterOrEqual,
  log as logarithm,
  mul as product,
  negate,
  pow as power,
  scalarLike,
  sign,
  sub as difference,
} from "../build.ts";
import type { Node, NodeOf } from "../node.ts";
import type { ElementType } from "../tensor.ts";
import { scaled, sumTo } from "./broadcast.ts";
import type { GradientRequest } from "./rule.ts";
import { byOperand } from "./rule.ts";

interface UnaryRequest {
  readonly node: Node & { readonly inputs: readonly [Node] };
  readonly gradient: Node;
}
type BinaryOperator = "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Maximum" | "Minimum";
type BinaryRequest = GradientRequest<BinaryOperator>;

/** 1 where the comparison holds, else 0, in `x`'s type. */
function indicator(comparison: Node, x: Node): Node {
  return cast(comparison, x.type);
}

function positive(x: Node): Node {
  return indicator(greater(x, scalarLike(x, 0)), x);
}

/** Through y = f(x): `derivative` makes f'(x) from x or, where that is cheaper, from y. */
function through(derivative: (x: Node, y: Node) => Node): (request: UnaryRequest) => Node {
  return ({ node, gradient }) => product(gradient, derivative(node.inputs[0], node));
}

/**
 * 0 at 0, as in PyTorch and TensorFlow. Positive values stay so: told from the value itself, so that engines fuse Relu
 * with the operator before it, whose own value need not be kept.
 */
export const relu = through((_, y) => positive(y));
export const sigmoid = through((_, y) => difference(y, product(y, y)));
export const tanh = through((_, y) => difference(scalarLike(y, 1), product(y, y)));
export const exp = through((_, y) => y);
export const sqrt = through((_, y) => quotient(scalarLike(y, 0.5), y));
/** 0 at 0. */
export const absolute = through((x) => sign(x));

export function log({ node, gradient }: GradientRequest<"Log">): Node {
  return quotient(gradient, node.inputs[0]);
}

/** `slope` at 0, as in PyTorch. */
export function leakyRelu({ node, gradient }: GradientRequest<"LeakyRelu">): Node {
  const { slope } = node.attributes;
  const mask = positive(node.inputs[0]);
  const within = slope >= 0 && slope <= 1;
  const derivative = within ? clipped(mask, { min: slope }) : add(scaled(mask, 1 - slope), scalarLike(mask, slope));
  return product(gradient, derivative);
}

/**
 * 0 at the limits themselves, so that a clip from 0 up has the gradient of Relu, as PyTorch's relu6, hardtanh and
 * hardsigmoid have (its clamp passes the gradient there).
 */
export function clip({ node, gradient }: GradientRequest<"Clip">): Node {
  const [x] = node.inputs;
  const { min, max } = node.attributes;
  const above = min === -Infinity ? gradient : product(gradient, indicator(greater(x, scalarLike(x, min)), x));
  return max === Infinity ? above : product(above, indicator(greater(scalarLike(x, max), x), x));
}

/** Only between floating-point types: casts to and from integers go in steps. */
export function castTo({ node, gradient }: GradientRequest<"Cast">): Node | undefined {
  const [x] = node.inputs;
  return isFloating(node.type) && isFloating(x.type) ? cast(gradient, x.type) : undefined;
}

export function isFloating(type: ElementType): boolean {
  return type === "float32" || type === "float64";
}

/** The operand that the gradient is for, and the one beside it. */
function sides({ node, operand }: BinaryRequest): { readonly own: Node; readonly other: Node } {
  const [a, b] = node.inputs;
  return operand === 0 ? { own: a, other: b } : { own: b, other: a };
}

/** `share`: the operand's gradient, still of the node's shape. */
function reduced(request: BinaryRequest, share: Node): Node {
  return sumTo(share, { from: request.node.shape, to: sides(request).own.shape });
}

export function addition(request: GradientRequest<"Add">): Node {
  return reduced(request, request.gradient);
}

export const subtraction = byOperand<"Sub">(
  (request) => reduced(request, request.gradient),
  (request) => negate(reduced(request, request.gradient)),
);

export function multiplication(request: GradientRequest<"Mul">): Node {
  return reduced(request, product(request.gradient, sides(request).other));
}

export const division = byOperand<"Div">(
  (request) => reduced(request, quotient(request.gradient, request.node.inputs[1])),
  (request) => {
    const { node, gradient } = request;
    return negate(reduced(request, quotient(product(gradient, node), node.inputs[1])));
  },
);

/** b a^(b-1); for b = 0 it is 0 whatever the base, where the plain formula gives 0 times infinity for a = 0. */
function powerSlope(node: NodeOf<"Pow">): Node | undefined {
  const [base, exponent] = node.inputs;
  if (exponent.op === "Constant" && exponent.attributes.tensor.data.length === 1) {
    const value = Number(exponent.attributes.tensor.data[0]);
    if (value === 0) return undefined;
    if (value === 2) return scaled(base, 2);
    return scaled(power(base, scalarLike(base, value - 1)), value);
  }
  const times = cast(exponent, base.type);
  const zero = indicator(equal(times, scalarLike(times, 0)), times);
  return product(times, power(base, add(difference(times, scalarLike(times, 1)), zero)));
}

export const exponentiation = byOperand<"Pow">(
  (request) => {
    const slope = powerSlope(request.node);
    return slope === undefined ? undefined : reduced(request, product(request.gradient, slope));
  },
  (request) => {
    // a^b log a; log 1 in place of log 0, because 0^b is constant in b.
    const { node, gradient } = request;
    const [base, exponent] = node.inputs;
    const zero = indicator(equal(base, scalarLike(base, 0)), base);
    const share = product(gradient, product(node, logarithm(add(base, zero))));
    return cast(reduced(request, share), exponent.type);
  },
);

/** The gradient where `chosen(own, other)` holds. */
function selected(request: GradientRequest<"Maximum" | "Minimum">, chosen: (own: Node, other: Node) => Node): Node {
  const { own, other } = sides(request);
  return reduced(request, product(request.gradient, indicator(chosen(own, other), own)));
}

/** Equal operands: the whole gradient goes to the first. */
export const maximum = byOperand<"Maximum">(
  (request) => selected(request, greaterOrEqual),
  (request) => selected(request, greater),
);

export const minimum = byOperand<"Minimum">(
  (request) => selected(request, (own, other) => greaterOrEqual(other, own)),
  (request) => selected(request, (own, other) => greater(other, own)),
);
