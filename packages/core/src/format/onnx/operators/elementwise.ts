import {
  abs,
  add,
  cast,
  clip,
  div,
  equal,
  exp,
  floor,
  greater,
  greaterOrEqual,
  leakyRelu,
  log,
  maximum,
  minimum,
  mul,
  negate,
  pow,
  relu,
  round,
  scalarConstant,
  scalarLike,
  sigmoid,
  sign,
  sqrt,
  sub,
  tanh,
} from "../../../graph/build.ts";
import type { Named } from "../../../graph/build.ts";
import type { Node } from "../../../graph/node.ts";
import {
  constantOperand,
  floatAttribute,
  intAttribute,
  named,
  operand,
  optionalOperand,
  unlessUnchanged,
  unsupported,
  wordAttribute,
} from "../operator-call.ts";
import type { OperatorCall, OperatorReader } from "../operator-call.ts";
import { dataTypeName } from "../proto.ts";
import { elementTypeOf } from "../tensors.ts";

type Binary = (a: Node, b: Node, options?: Named) => Node;

/** A function of one operand; `named` goes to the node that is the result. */
function unary(make: (x: Node, named: Named, call: OperatorCall) => Node): OperatorReader {
  return (call) => make(operand(call, 0), named(call), call);
}

function binary(make: Binary): OperatorReader {
  return (call) => make(operand(call, 0), operand(call, 1), named(call));
}

/** Any number of operands, from left to right. */
function variadic(make: Binary): OperatorReader {
  return (call) => combined(call, make, named(call));
}

function combined(call: OperatorCall, make: Binary, options: Named): Node {
  const last = call.inputs.length - 1;
  let result = operand(call, 0);
  for (let index = 1; index <= last; index++)
    result = make(result, operand(call, index), index === last ? options : {});
  return result;
}

const mean: OperatorReader = (call) => {
  const sum = combined(call, add, {});
  return div(sum, scalarLike(sum, call.inputs.length), named(call));
};

/** Comparisons give booleans in ONNX, numbers in the vocabulary. */
function comparison(make: Binary): OperatorReader {
  return binary((a, b, options) => cast(make(a, b), "bool", options));
}

function logical(make: Binary): OperatorReader {
  return binary((a, b, options) => cast(make(cast(a, "float32"), cast(b, "float32")), "bool", options));
}

/** alpha (e^(x / divisor) - 1) below 0, x above: the operand is clipped first, so that e^x does not overflow. */
function exponentialUnit(
  x: Node,
  settings: { readonly alpha: number; readonly divisor: number },
  options: Named,
): Node {
  const below = div(minimum(x, scalarLike(x, 0)), scalarLike(x, settings.divisor));
  return add(relu(x), mul(sub(exp(below), scalarLike(x, 1)), scalarLike(x, settings.alpha)), options);
}

/** log(1 + e^x) = max(x, 0) - log(sigmoid(|x|)), where nothing overflows. */
function softplus(x: Node, options: Named = {}): Node {
  return sub(relu(x), log(sigmoid(abs(x))), options);
}

function hardSigmoid(x: Node, alpha: number, beta: number, options: Named = {}): Node {
  return clip(add(mul(x, scalarLike(x, alpha)), scalarLike(x, beta)), { min: 0, max: 1 }, options);
}

const elu = unary((x, options, call) => {
  return exponentialUnit(x, { alpha: floatAttribute(call, "alpha") ?? 1, divisor: 1 }, options);
});

const celu = unary((x, options, call) => {
  const alpha = floatAttribute(call, "alpha") ?? 1;
  return exponentialUnit(x, { alpha, divisor: alpha }, options);
});

const selu = unary((x, options, call) => {
  const alpha = floatAttribute(call, "alpha") ?? 1.67326319217681884765625;
  const gamma = floatAttribute(call, "gamma") ?? 1.05070102214813232421875;
  return mul(exponentialUnit(x, { alpha, divisor: 1 }, {}), scalarLike(x, gamma), options);
});

/** Gaussian error linear unit by its tanh approximation (Hendrycks & Gimpel 2016); the exact one needs erf. */
const gelu = unary((x, options, call) => {
  wordAttribute(call, "approximate", ["tanh"], "tanh");
  if (!call.attributes.has("approximate"))
    throw unsupported(call, 'approximate = "none" (erf)', 'approximate = "tanh"');
  const cubic = mul(mul(mul(x, x), x), scalarLike(x, 0.044715));
  const inner = mul(add(x, cubic), scalarLike(x, Math.sqrt(2 / Math.PI)));
  return mul(mul(x, scalarLike(x, 0.5)), add(tanh(inner), scalarLike(x, 1)), options);
});

const parametricRelu: OperatorReader = (call) => {
  const x = operand(call, 0);
  const slope = operand(call, 1);
  if (slope.op === "Constant" && x.type === "float32") {
    const slopes = constantOperand(call, 1, "slope") ?? [];
    const [first = 0] = slopes;
    if (slopes.every((value) => value === first)) return leakyRelu(x, first, named(call));
  }
  return add(relu(x), mul(slope, minimum(x, scalarLike(x, 0))), named(call));
};

const clipping: OperatorReader = (call) => {
  const x = operand(call, 0);
  const [low, high] = [optionalOperand(call, 1), optionalOperand(call, 2)];
  if ([low, high].every((limit) => limit === undefined || limit.op === "Constant")) {
    const min = floatAttribute(call, "min") ?? constantOperand(call, 1, "min")?.[0] ?? -Infinity;
    const max = floatAttribute(call, "max") ?? constantOperand(call, 2, "max")?.[0] ?? Infinity;
    // Where the limits cross, the standard's formula gives the upper one.
    return min <= max ? clip(x, { min, max }, named(call)) : clip(clip(x, { min }), { max }, named(call));
  }
  const raised = low === undefined ? x : maximum(x, low, high === undefined ? named(call) : {});
  return high === undefined ? raised : minimum(raised, high, named(call));
};

const casting: OperatorReader = (call) => {
  const code = intAttribute(call, "to");
  const to = elementTypeOf(code);
  if (to === undefined) {
    throw unsupported(call, `to = ${dataTypeName(code)}`, "float types, int64, int32, uint16, uint8, bool");
  }
  const x = operand(call, 0);
  return unlessUnchanged(call, x, (options) => cast(x, to, options));
};

/** The remainder that has the divisor's sign; of integers, as sizes are computed with. */
const modulo: OperatorReader = (call) => {
  if ((intAttribute(call, "fmod") ?? 0) !== 0) throw unsupported(call, "fmod = 1", "fmod = 0");
  const [a, b] = [operand(call, 0), operand(call, 1)];
  if (a.type === "float32") throw unsupported(call, "floating-point operands", "integers");
  const [wideA, wideB] = [cast(a, "float64"), cast(b, "float64")];
  return cast(sub(wideA, mul(wideB, floor(div(wideA, wideB)))), a.type, named(call));
};

export const elementwiseOperators: Readonly<Record<string, OperatorReader>> = {
  Relu: unary(relu),
  Sigmoid: unary(sigmoid),
  Tanh: unary(tanh),
  Exp: unary(exp),
  Log: unary(log),
  Sqrt: unary(sqrt),
  Abs: unary(abs),
  Sign: unary(sign),
  Neg: unary(negate),
  Floor: unary(floor),
  Ceil: unary((x, options) => negate(floor(negate(x)), options)),
  Round: unary(round),
  Reciprocal: unary((x, options) => div(scalarLike(x, 1), x, options)),
  LeakyRelu: unary((x, options, call) => leakyRelu(x, floatAttribute(call, "alpha") ?? 0.01, options)),
  PRelu: parametricRelu,
  Elu: elu,
  Celu: celu,
  Selu: selu,
  Gelu: gelu,
  Softplus: unary(softplus),
  Softsign: unary((x, options) => div(x, add(abs(x), scalarLike(x, 1)), options)),
  Mish: unary((x, options) => mul(x, tanh(softplus(x)), options)),
  ThresholdedRelu: unary((x, options, call) =>
    mul(x, greater(x, scalarConstant(floatAttribute(call, "alpha") ?? 1)), options),
  ),
  HardSigmoid: unary((x, options, call) =>
    hardSigmoid(x, floatAttribute(call, "alpha") ?? 0.2, floatAttribute(call, "beta") ?? 0.5, options),
  ),
  HardSwish: unary((x, options) => mul(x, hardSigmoid(x, 1 / 6, 0.5), options)),
  Swish: unary((x, options, call) => {
    const alpha = floatAttribute(call, "alpha") ?? 1;
    return mul(x, sigmoid(alpha === 1 ? x : mul(x, scalarLike(x, alpha))), options);
  }),
  Clip: clipping,
  Cast: casting,

  Add: binary(add),
  Sub: binary(sub),
  Mul: binary(mul),
  Div: binary(div),
  Pow: binary(pow),
  Mod: modulo,
  Max: variadic(maximum),
  Min: variadic(minimum),
  Sum: variadic(add),
  Mean: mean,

  Equal: comparison(equal),
  Greater: comparison(greater),
  GreaterOrEqual: comparison(greaterOrEqual),
  Less: comparison((a, b) => greater(b, a)),
  LessOrEqual: comparison((a, b) => greaterOrEqual(b, a)),
  And: logical(mul),
  Or: logical(maximum),
  Not: unary((x, options) => cast(equal(cast(x, "float32"), scalarConstant(0)), "bool", options)),
};
