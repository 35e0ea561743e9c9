import { add, div, matMul, mul, reduceMean, reshape, scalarLike, sqrt, sub, transpose } from "../../../graph/build.ts";
import { foldedConstant } from "../../../graph/fold-constants.ts";
import type { Node } from "../../../graph/node.ts";
import { remembered } from "../../../graph/remembered.ts";
import {
  floatAttribute,
  intAttribute,
  misfit,
  named,
  operand,
  optionalOperand,
  unsupported,
} from "../operator-call.ts";
import type { OperatorCall, OperatorReader } from "../operator-call.ts";

/** A matrix transposed; of a constant one only once, however often the model is instantiated. */
const transposed = remembered((matrix: Node): Node => foldedConstant(transpose(matrix, [1, 0])));

/** alpha A B + beta C. */
const generalMatrixProduct: OperatorReader = (call) => {
  const matrix = (index: number, flag: string): Node => {
    const value = operand(call, index);
    if (value.shape.length !== 2) throw misfit(call, "matrices (rank 2)", `[${value.shape.join(", ")}]`);
    return (intAttribute(call, flag) ?? 0) === 0 ? value : transposed(value);
  };
  const scaled = (value: Node, factor: number): Node =>
    factor === 1 ? value : foldedConstant(mul(value, scalarLike(value, factor)));
  const c = optionalOperand(call, 2);
  const alpha = floatAttribute(call, "alpha") ?? 1;
  const [a, b] = [matrix(0, "transA"), matrix(1, "transB")];
  if (c === undefined) {
    return alpha === 1 ? matMul(a, b, named(call)) : mul(matMul(a, b), scalarLike(a, alpha), named(call));
  }
  return add(scaled(matMul(a, b), alpha), scaled(c, floatAttribute(call, "beta") ?? 1), named(call));
};

/** Vectors count as a row on the left and as a column on the right; that axis goes away again. */
const matrixProduct: OperatorReader = (call) => {
  const [a, b] = [operand(call, 0), operand(call, 1)];
  const [row, column] = [a.shape.length === 1, b.shape.length === 1];
  if (!row && !column) return matMul(a, b, named(call));
  const product = matMul(row ? reshape(a, [1, ...a.shape]) : a, column ? reshape(b, [...b.shape, 1]) : b);
  const rank = product.shape.length;
  const shape = product.shape.filter((_, axis) => !(row && axis === rank - 2) && !(column && axis === rank - 1));
  return reshape(product, shape, named(call));
};

function perChannel(values: Node, rank: number): Node {
  return reshape(values, [1, ...values.shape, ...Array<number>(rank - 2).fill(1)]);
}

function expectChannels(call: OperatorCall, x: Node, values: Node): void {
  const [, channels = 0] = x.shape;
  const fits = x.shape.length >= 2 && values.shape.length === 1 && values.shape[0] === channels;
  if (!fits) throw misfit(call, `one value for each of ${channels} channels`, `[${values.shape.join(", ")}]`);
}

/** x * scale / sqrt(variance + epsilon) + (offset - mean * scale / sqrt(variance + epsilon)), by frozen statistics. */
const batchNormalization: OperatorReader = (call) => {
  const training = (intAttribute(call, "training_mode") ?? 0) !== 0;
  if (training || call.used > 1)
    throw unsupported(call, "training mode", "inference (export the model in evaluation mode)");
  const x = operand(call, 0);
  const statistics = [1, 2, 3, 4].map((index) => operand(call, index));
  for (const values of statistics) expectChannels(call, x, values);
  const [scale, offset, mean, variance] = [operand(call, 1), operand(call, 2), operand(call, 3), operand(call, 4)];
  const epsilon = floatAttribute(call, "epsilon") ?? 1e-5;
  const deviation = sqrt(add(variance, scalarLike(variance, epsilon)));
  const factor = mul(scale, reciprocal(deviation));
  const rank = x.shape.length;
  const term = sub(offset, mul(mean, factor));
  const scaled = mul(x, foldedConstant(perChannel(factor, rank)));
  return add(scaled, foldedConstant(perChannel(term, rank)), named(call));
};

function reciprocal(x: Node): Node {
  return div(scalarLike(x, 1), x);
}

/** By the statistics of each image and channel itself: nothing local, but said in the vocabulary. */
const instanceNormalization: OperatorReader = (call) => {
  const [x, scale, offset] = [operand(call, 0), operand(call, 1), operand(call, 2)];
  expectChannels(call, x, scale);
  expectChannels(call, x, offset);
  const rank = x.shape.length;
  const axes = [...x.shape.keys()].slice(2);
  const centred = sub(x, reduceMean(x, axes));
  const variance = reduceMean(mul(centred, centred), axes);
  const epsilon = floatAttribute(call, "epsilon") ?? 1e-5;
  const normal = div(centred, sqrt(add(variance, scalarLike(x, epsilon))));
  return add(mul(normal, perChannel(scale, rank)), perChannel(offset, rank), named(call));
};

export const linearOperators: Readonly<Record<string, OperatorReader>> = {
  Gemm: generalMatrixProduct,
  MatMul: matrixProduct,
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
};
