import { resizedExtent, sameShape, spanOf, transposedExtent, windowedExtent } from "../extents.ts";
import type { Sliding } from "../extents.ts";
import type { Node } from "../node.ts";
import type { Shape } from "../tensor.ts";
import type {
  ConvolutionAttributes,
  MaxPoolAttributes,
  Pads,
  Pair,
  PoolingWindow,
  ResizeAttributes,
} from "../vocabulary.ts";
import {
  expectFloating,
  expectIntegers,
  expectNumeric,
  expectRank,
  expectSameType,
  expectThat,
  misfit,
  shapeText,
} from "./expectation.ts";
import type { ShapeRequest, Subject, ValueType } from "./expectation.ts";

type FourExtents = readonly [number, number, number, number];

/** The extents of an operand that must have rank 4; `axes` names them for the message. */
function fourExtents(node: Subject, operand: Node, axes: string): FourExtents {
  const [first, second, third, fourth] = operand.shape;
  expectRank(node, operand, 4, axes);
  if (first === undefined || second === undefined || third === undefined || fourth === undefined) {
    throw misfit(node, axes, shapeText(operand.shape));
  }
  return [first, second, third, fourth];
}

function imageExtents(node: Subject, operand: Node): FourExtents {
  return fourExtents(node, operand, "an operand [N, C, H, W]");
}

function padsOf(pads: Pads): readonly number[] {
  return [pads.top, pads.left, pads.bottom, pads.right];
}

function expectWindow(node: Subject, window: PoolingWindow & { readonly dilations: Pair }): void {
  expectIntegers(node, window.kernel, "kernel extents", 1);
  expectIntegers(node, window.strides, "strides", 1);
  expectIntegers(node, window.dilations, "dilations", 1);
  expectIntegers(node, padsOf(window.pads), "pads", 0);
}

/** How a window slides along each axis: [vertical, horizontal]. */
export function slidingOf(window: PoolingWindow & { readonly dilations: Pair }): readonly [Sliding, Sliding] {
  const { kernel, strides, dilations, pads } = window;
  return [
    { kernel: kernel[0], stride: strides[0], dilation: dilations[0], before: pads.top, after: pads.bottom },
    { kernel: kernel[1], stride: strides[1], dilation: dilations[1], before: pads.left, after: pads.right },
  ];
}

function windowedExtents(node: Subject, extents: Pair, window: PoolingWindow & { readonly dilations: Pair }): Pair {
  expectWindow(node, window);
  const [vertical, horizontal] = slidingOf(window);
  const height = windowedExtent(extents[0], vertical);
  const width = windowedExtent(extents[1], horizontal);
  if (height < 1 || width < 1) {
    const { pads } = window;
    throw misfit(
      node,
      `at least ${spanOf(vertical)} x ${spanOf(horizontal)} padded positions for the window`,
      `${extents[0] + pads.top + pads.bottom} x ${extents[1] + pads.left + pads.right}`,
    );
  }
  return [height, width];
}

function expectBias(node: Subject, bias: Node | undefined, channels: number): void {
  if (bias === undefined) return;
  expectThat(sameShape(bias.shape, [channels]), node, `a bias [${channels}]`, () => shapeText(bias.shape));
}

function expectGroups(node: Subject, group: number, channels: number, what: string): void {
  const valid = Number.isInteger(group) && group >= 1 && channels % group === 0;
  expectThat(valid, node, `a group count that divides the ${channels} ${what} channels`, () => `${group}`);
}

function presentOperands(inputs: readonly [Node, Node, Node | undefined]): readonly Node[] {
  return inputs.filter((operand) => operand !== undefined);
}

function windowOf(attributes: ConvolutionAttributes, kernel: Pair): PoolingWindow & { readonly dilations: Pair } {
  return { kernel, strides: attributes.strides, dilations: attributes.dilations, pads: attributes.pads };
}

export function conv(request: ShapeRequest<"Conv">): ValueType {
  const [x, weight, bias] = request.inputs;
  const { attributes } = request;
  expectFloating(request, x);
  expectSameType(request, presentOperands(request.inputs));
  const [batch, channels, height, width] = imageExtents(request, x);
  const [out, perGroup, kernelHeight, kernelWidth] = fourExtents(request, weight, "a weight [O, C/group, kh, kw]");
  expectGroups(request, attributes.group, out, "output");
  const expected = `an input of ${perGroup * attributes.group} channels (weight ${shapeText(weight.shape)}, group ${attributes.group})`;
  expectThat(channels === perGroup * attributes.group, request, expected, () => `${channels} (${shapeText(x.shape)})`);
  expectBias(request, bias, out);
  const spatial = windowedExtents(request, [height, width], windowOf(attributes, [kernelHeight, kernelWidth]));
  return { shape: [batch, out, ...spatial], type: x.type };
}

export function convTranspose(request: ShapeRequest<"ConvTranspose">): ValueType {
  const [x, weight, bias] = request.inputs;
  const { attributes } = request;
  expectFloating(request, x);
  expectSameType(request, presentOperands(request.inputs));
  const [batch, channels, height, width] = imageExtents(request, x);
  const [into, perGroup, kernelHeight, kernelWidth] = fourExtents(request, weight, "a weight [C, O/group, kh, kw]");
  expectGroups(request, attributes.group, into, "input");
  const expected = `an input of ${into} channels (weight ${shapeText(weight.shape)})`;
  expectThat(channels === into, request, expected, () => `${channels} (${shapeText(x.shape)})`);
  expectBias(request, bias, perGroup * attributes.group);
  const window = windowOf(attributes, [kernelHeight, kernelWidth]);
  expectWindow(request, window);
  expectIntegers(request, attributes.outputPadding, "output paddings", 0);
  const [vertical, horizontal] = slidingOf(window);
  const outHeight = transposedExtent(height, vertical, attributes.outputPadding[0]);
  const outWidth = transposedExtent(width, horizontal, attributes.outputPadding[1]);
  const valid = outHeight >= 1 && outWidth >= 1;
  expectThat(valid, request, "pads smaller than the output", () => `an output of ${outHeight} x ${outWidth}`);
  return { shape: [batch, perGroup * attributes.group, outHeight, outWidth], type: x.type };
}

function pooled(node: Subject, x: Node, window: PoolingWindow & { readonly dilations: Pair }): Shape {
  const [batch, channels, height, width] = imageExtents(node, x);
  return [batch, channels, ...windowedExtents(node, [height, width], window)];
}

export function maxPool(request: ShapeRequest<"MaxPool">): ValueType {
  const [x] = request.inputs;
  expectNumeric(request, x);
  return { shape: pooled(request, x, request.attributes), type: x.type };
}

export function maxPoolGradient(request: ShapeRequest<"MaxPoolGradient">): ValueType {
  const [x, gradient] = request.inputs;
  const window: MaxPoolAttributes = request.attributes;
  expectFloating(request, x);
  expectSameType(request, request.inputs);
  const shape = pooled(request, x, window);
  const expected = `a gradient of the pooled shape ${shapeText(shape)}`;
  expectThat(sameShape(gradient.shape, shape), request, expected, () => shapeText(gradient.shape));
  return { shape: x.shape, type: x.type };
}

export function averagePool(request: ShapeRequest<"AveragePool">): ValueType {
  const [x] = request.inputs;
  expectFloating(request, x);
  return { shape: pooled(request, x, { ...request.attributes, dilations: [1, 1] }), type: x.type };
}

function resizedExtents(node: Subject, extents: Pair, attributes: ResizeAttributes): Pair {
  const { scales } = attributes;
  const positive = scales.every((scale) => Number.isFinite(scale) && scale > 0);
  expectThat(positive, node, "scales above 0", () => shapeText(scales));
  const resized: Pair = [resizedExtent(extents[0], scales[0]), resizedExtent(extents[1], scales[1])];
  const valid = resized[0] >= 1 && resized[1] >= 1;
  expectThat(valid, node, "an output of at least 1 x 1", () => `${resized[0]} x ${resized[1]}`);
  return resized;
}

export function resize(request: ShapeRequest<"Resize">): ValueType {
  const [x] = request.inputs;
  if (request.attributes.mode === "linear") expectFloating(request, x);
  const [batch, channels, height, width] = imageExtents(request, x);
  return { shape: [batch, channels, ...resizedExtents(request, [height, width], request.attributes)], type: x.type };
}

export function resizeGradient(request: ShapeRequest<"ResizeGradient">): ValueType {
  const [gradient] = request.inputs;
  const { extent } = request.attributes;
  expectFloating(request, gradient);
  const [batch, channels, height, width] = imageExtents(request, gradient);
  expectIntegers(request, extent, "extents", 1);
  const resized = resizedExtents(request, extent, request.attributes);
  const expected = `a gradient of ${resized[0]} x ${resized[1]} (from ${extent[0]} x ${extent[1]})`;
  expectThat(sameShape(resized, [height, width]), request, expected, () => `${height} x ${width}`);
  return { shape: [batch, channels, ...extent], type: gradient.type };
}
