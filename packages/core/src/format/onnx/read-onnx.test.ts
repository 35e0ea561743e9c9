import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import * as build from "../../graph/build.ts";
import { graphOf, topologicalOrder } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import { tensorOf } from "../../graph/tensor.ts";
import { encodeOnnx } from "./encode.ts";
import type { EncodeOptions } from "./encode.ts";
import type { AttributeProto, GraphProto, NodeProto, ValueInfo } from "./proto.ts";
import { readOnnxGraph } from "./read-graph.ts";
import { readOnnx } from "./read-onnx.ts";
import { writeModelProto } from "./proto-writer.ts";
import { encodeTensor } from "./tensors.ts";

function networkGraph(channels = 3): Graph {
  const x = build.input("image", { type: "float32", shape: [1, channels, 8, 8], spatial: [2, 3] });
  const weight = build.constant(tensorOf("float32", [2, channels, 1, 1], new Float32Array(2 * channels).fill(0.5)), {
    name: "weight",
  });
  const features = build.relu(build.conv(x, weight), { name: "features" });
  return graphOf({ scores: build.reshape(build.reduceMean(features, [2, 3]), [1, 2]) });
}

function network(options: EncodeOptions = {}): Uint8Array {
  return encodeOnnx(networkGraph(), { dynamicAxes: true, ...options });
}

/** A file as another exporter may write it. */
interface File extends Partial<GraphProto> {
  readonly opset?: number;
  readonly domain?: string;
}

const image: ValueInfo = { name: "image", dataType: 1, shape: ["n", 3, "h", "w"] };
const scores: ValueInfo = { name: "scores", dataType: 1, shape: undefined };

function fileOf({ opset = 17, domain = "", ...graph }: File): Uint8Array {
  return writeModelProto({
    irVersion: 8,
    producerName: "test",
    opsets: [{ domain, version: opset }],
    metadata: {},
    graph: {
      name: "",
      nodes: [],
      initializers: [],
      sparseInitializers: 0,
      inputs: [image],
      outputs: [scores],
      ...graph,
    },
  });
}

type Value = number | string | readonly number[];

function node(
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Value>> = {},
): NodeProto {
  const list = Object.entries(attributes).map(([name, value]): AttributeProto => {
    if (typeof value === "number") return { name, value: { kind: "int", value } };
    return { name, value: typeof value === "string" ? { kind: "string", value } : { kind: "ints", value } };
  });
  return { name: `${operator}_${output}`, operator, domain: "", inputs, outputs: [output], attributes: list };
}

function errorOf(work: () => unknown): SlidelightError {
  try {
    work();
  } catch (error) {
    if (error instanceof SlidelightError) return error;
    throw error;
  }
  throw new Error("It was expected to fail.");
}

describe("bytes that are no model", () => {
  test.each([
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("<!doctype html><html><body>404 Not Found</body></html>\n")],
    ["a PNG", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13)],
    ["zeros", new Uint8Array(100)],
    ["a zip archive, as PyTorch saves", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0, 0, 0)],
    ["a group that never ends", Uint8Array.of(0x0b)],
  ])("%s is refused", (_, bytes) => {
    const error = errorOf(() => readOnnx(bytes, { uri: "model.onnx" }));
    expect(error.code).toBe("model-unreadable");
    expect(error.message).toContain('"model.onnx"');
  });

  test("a model cut off anywhere is refused", () => {
    const bytes = network();
    for (let length = 0; length < bytes.length; length += 1) {
      const error = errorOf(() => readOnnx(bytes.subarray(0, length)).instantiate({ width: 8, height: 8 }));
      expect(error.code).toBe("model-unreadable");
    }
  });

  test("a model with any one byte changed is read or refused, never a crash", () => {
    const bytes = network({ metadata: { "slidelight.mpp": "0.5" } });
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Uint8Array.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 0xff;
      try {
        readOnnx(changed).instantiate({ width: 8, height: 8 });
      } catch (error) {
        expect(error).toBeInstanceOf(SlidelightError);
      }
    }
  });
});

describe("a model that can't be used", () => {
  test("with weights in another file says how to save it as one", () => {
    const weight = encodeTensor(tensorOf("float32", [1], [2]), "w");
    const bytes = fileOf({ nodes: [node("Mul", ["image", "w"], "scores")], initializers: [weight] });
    // Raw data (field 9) of 4 bytes become a location in other files (field 13) and the mark that they lie there (14 = 1).
    const at = Buffer.from(bytes).indexOf(Buffer.of(0x4a, 4, 0, 0, 0, 0x40));
    const external = Uint8Array.from(bytes);
    external.set([0x6a, 2, 0x0a, 0, 0x70, 1], at);
    const error = errorOf(() => readOnnx(external).instantiate({ width: 8, height: 8 }));
    expect(error.code).toBe("model-unreadable");
    expect(error.message).toContain('"w" keeps its values in another file');
  });

  test("with an unknown operator names it and its node", () => {
    const nodes = [node("Relu", ["image"], "a"), node("Einsum", ["a"], "scores", { equation: "nchw->nc" })];
    const error = errorOf(() => readOnnx(fileOf({ nodes })));
    expect(error.code).toBe("model-operator");
    expect(error.message).toContain('node "Einsum_scores" has the operator Einsum');
    // Not the hundred that are known: those are where it says.
    expect(error.message).toContain("docs/models.md");
    expect(error.message.length).toBeLessThan(200);
    expect(error.detail).toEqual({ operator: "Einsum", node: "Einsum_scores" });
  });

  test("with an operator of another domain names the domain", () => {
    const nodes = [{ ...node("FusedConv", ["image"], "scores"), domain: "com.microsoft" }];
    expect(errorOf(() => readOnnx(fileOf({ nodes }))).message).toContain("com.microsoft.FusedConv");
  });

  test("with an unknown operator that no output depends on is read", () => {
    const nodes = [node("NonZero", ["image"], "unused"), node("Relu", ["image"], "scores")];
    expect(readOnnx(fileOf({ nodes })).instantiate({ width: 4, height: 4 }).outputs["scores"]?.op).toBe("Relu");
  });

  test("with an attribute outside the vocabulary names operator, node and attribute", () => {
    const nodes = [node("Resize", ["image", "", "s"], "scores", { mode: "cubic" })];
    const initializers = [encodeTensor(tensorOf("float32", [4], [1, 1, 2, 2]), "s")];
    const error = errorOf(() => readOnnx(fileOf({ nodes, initializers })).instantiate({ width: 4, height: 4 }));
    expect(error.code).toBe("model-operator");
    expect(error.message).toContain('Resize "Resize_scores" has mode = "cubic"');
  });

  test.each([5, 29, 1000])("of operator set %i is refused", (opset) => {
    const error = errorOf(() => readOnnx(fileOf({ opset, nodes: [node("Relu", ["image"], "scores")] })));
    expect(error.code).toBe("model-operator");
    expect(error.message).toContain(`operator set ${opset}`);
  });

  test.each([
    ["grey images", { ...image, shape: ["n", 1, "h", "w"] }],
    ["channels last", { ...image, shape: ["n", 224, 224, 3] }],
    ["a vector", { ...image, shape: ["n", 3] }],
    ["bytes", { ...image, dataType: 2 }],
  ])("that takes %s is refused", (_, input) => {
    const nodes = [node("Relu", ["image"], "scores")];
    const error = errorOf(() => readOnnx(fileOf({ inputs: [input], nodes })));
    expect(error.code).toBe("model-input");
    expect(error.message).toContain('"image"');
  });

  test("that takes two inputs names them", () => {
    const inputs = [image, { ...image, name: "mask" }];
    const error = errorOf(() => readOnnx(fileOf({ inputs, nodes: [node("Mul", ["image", "mask"], "scores")] })));
    expect(error.code).toBe("model-input");
    expect(error.message).toContain('"image", "mask"');
  });

  test("whose second input has a value in the file is read", () => {
    const inputs = [image, { name: "w", dataType: 1, shape: [1] }];
    const initializers = [encodeTensor(tensorOf("float32", [1], [2]), "w")];
    const model = readOnnx(fileOf({ inputs, initializers, nodes: [node("Mul", ["image", "w"], "scores")] }));
    expect(model.instantiate({ width: 4, height: 6 }).inputs.map(({ name }) => name)).toEqual(["image"]);
  });

  test("with two outputs names them", () => {
    const outputs = [scores, { ...scores, name: "embedding" }];
    const error = errorOf(() =>
      readOnnx(fileOf({ outputs, nodes: [node("Relu", ["image"], "scores"), node("Abs", ["image"], "embedding")] })),
    );
    expect(error.code).toBe("model-shape");
    expect(error.message).toContain('"scores", "embedding"');
  });

  test("that uses a value defined nowhere names it", () => {
    const error = errorOf(() =>
      readOnnx(fileOf({ nodes: [node("Add", ["image", "ghost"], "scores")] })).instantiate({ width: 4, height: 4 }),
    );
    expect(error.code).toBe("model-unreadable");
    expect(error.message).toContain('"ghost"');
  });

  const weightOf = (value: number) => encodeTensor(tensorOf("float32", [2, 3, 1, 1], [1, 1, 1, 1, value, 1]), "w");

  test.each([Number.NaN, Infinity, -Infinity])("with a weight of %d names it, and says where", (value) => {
    const bytes = fileOf({ nodes: [node("Conv", ["image", "w"], "scores")], initializers: [weightOf(value)] });
    const error = errorOf(() => readOnnx(bytes, { uri: "m.onnx" }).instantiate({ width: 8, height: 8 }));
    expect(error.code).toBe("model-unreadable");
    expect(error.message).toMatch(/"m\.onnx".*"w".*got (NaN|-?Infinity) at position 4 of the shape \[2, 3, 1, 1\]/u);
    expect(error.message).toContain("Export a model whose weights are all finite");
  });

  test("with weights that only become infinite when they are computed is refused", () => {
    const nodes = [node("Reciprocal", ["w"], "inverse"), node("Conv", ["image", "inverse"], "scores")];
    const bytes = fileOf({ nodes, initializers: [weightOf(0)] });
    const error = errorOf(() => readOnnx(bytes).instantiate({ width: 8, height: 8 }));
    expect(error.message).toContain('Conv "Conv_scores": the constant "inverse"');
  });

  test("with a bias or a constant that is no number is refused", () => {
    const bad = encodeTensor(tensorOf("float32", [1], [Number.NaN]), "b");
    const add = fileOf({ nodes: [node("Add", ["image", "b"], "scores")], initializers: [bad] });
    expect(errorOf(() => readOnnx(add).instantiate({ width: 8, height: 8 })).message).toContain('the constant "b"');
    const literal: NodeProto = {
      ...node("Constant", [], "b"),
      attributes: [{ name: "value", value: { kind: "tensor", value: bad } }],
    };
    const constant = fileOf({ nodes: [literal, node("Add", ["image", "b"], "scores")] });
    expect(errorOf(() => readOnnx(constant).instantiate({ width: 8, height: 8 })).message).toContain("got NaN");
  });

  test("is not one with infinite bounds, pads or masks, nor with weights that nothing uses", () => {
    const single = (name: string, value: number) => encodeTensor(tensorOf("float32", [], [value]), name);
    const nodes = [
      node("Clip", ["image", "zero", "infinite"], "clipped"),
      node("Pad", ["clipped", "pads", "lowest"], "padded"),
      node("Add", ["padded", "lowest"], "scores"),
    ];
    const pads = encodeTensor(tensorOf("int64", [8], [0, 0, 1, 1, 0, 0, 1, 1]), "pads");
    const initializers = [single("zero", 0), single("infinite", Infinity), single("lowest", -Infinity), pads];
    const bytes = fileOf({ nodes, initializers: [...initializers, weightOf(Number.NaN)] });
    expect(readOnnx(bytes).instantiate({ width: 8, height: 8 }).outputs["scores"]?.shape).toEqual([1, 3, 10, 10]);
  });

  test("whose operands do not fit at this size names the node", () => {
    const nodes = [node("MaxPool", ["image"], "scores", { kernel_shape: [5, 5] })];
    const error = errorOf(() => readOnnx(fileOf({ nodes })).instantiate({ width: 4, height: 4 }));
    expect(error.code).toBe("model-shape");
    expect(error.message).toContain('MaxPool "MaxPool_scores"');
  });

  test("whose graph has a cycle is refused", () => {
    const nodes = [node("Add", ["image", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"], "scores")];
    expect(errorOf(() => readOnnx(fileOf({ nodes })).instantiate({ width: 4, height: 4 })).code).toBe(
      "model-unreadable",
    );
  });
});

describe("a model's metadata", () => {
  const metadata = {
    "slidelight.classes": '["normal", "tumour"]',
    "slidelight.mean": "0.485,0.456,0.406",
    "slidelight.std": "[0.229, 0.224, 0.225]",
    "slidelight.mpp": "0.5",
    "slidelight.description": "trained on nothing",
    "something.else": "1",
  };

  test("is read", () => {
    const bytes = network({ metadata });
    const { instantiate: _, ...rest } = readOnnx(bytes);
    expect(rest).toEqual({
      sha256: createHash("sha256").update(bytes).digest("hex"),
      classes: ["normal", "tumour"],
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      micronsPerPixel: 0.5,
      description: "trained on nothing",
    });
  });

  test("may be absent", () => {
    expect(Object.keys(readOnnx(network())).sort()).toEqual(["instantiate", "sha256"]);
  });

  test("names classes between commas", () => {
    expect(readOnnx(network({ metadata: { "slidelight.classes": "a, b" } })).classes).toEqual(["a", "b"]);
  });

  test.each([
    ["slidelight.mean", "0.5,0.5"],
    ["slidelight.mean", "a,b,c"],
    ["slidelight.std", "0.5,0.5,0"],
    ["slidelight.mpp", "-1"],
    ["slidelight.classes", '["a",'],
  ])("that can't be used is an error that names it: %s = %s", (key, value) => {
    const error = errorOf(() => readOnnx(network({ metadata: { [key]: value } })));
    expect(error.code).toBe("model-unreadable");
    expect(error.message).toContain(`${key} = "${value}"`);
  });
});

describe("a model at a size", () => {
  test("has one image input with its image axes named, whatever the file declares", () => {
    const model = readOnnx(encodeOnnx(networkGraph()));
    const [input] = model.instantiate({ width: 12, height: 10 }).inputs;
    expect(input).toMatchObject({ name: "image", shape: [1, 3, 10, 12], attributes: { spatial: [2, 3] } });
  });

  test("shares its weights with the model at another size", () => {
    const model = readOnnx(network());
    const weights = [8, 16].map((width) => {
      const graph = model.instantiate({ width, height: 8 });
      return topologicalOrder(Object.values(graph.outputs)).find(({ name }) => name === "weight");
    });
    expect(weights[0]).toBeDefined();
    expect(weights[0]).toBe(weights[1]);
  });

  test("keeps the names of its layers", () => {
    const { outputs } = readOnnx(network()).instantiate({ width: 8, height: 8 });
    expect(topologicalOrder(Object.values(outputs)).map(({ name }) => name)).toContain("features");
  });
});

describe("arithmetic with sizes", () => {
  const vector = (name: string, values: readonly number[]) =>
    encodeTensor(tensorOf("int64", [values.length], values), name);
  const scalar = (name: string, value: number) => encodeTensor(tensorOf("int64", [], [value]), name);

  test("for a Reshape (Shape, Gather, Unsqueeze, Concat) leaves nothing but the Reshape", () => {
    const nodes = [
      node("Shape", ["image"], "shape"),
      node("Gather", ["shape", "zero"], "batch", { axis: 0 }),
      node("Unsqueeze", ["batch", "axes"], "batches"),
      node("Concat", ["batches", "rest"], "target", { axis: 0 }),
      node("Reshape", ["image", "target"], "scores"),
    ];
    const initializers = [scalar("zero", 0), vector("axes", [0]), vector("rest", [3, -1])];
    const graph = readOnnx(fileOf({ nodes, initializers })).instantiate({ width: 5, height: 4 });
    expect(topologicalOrder(Object.values(graph.outputs)).map(({ op }) => op)).toEqual(["Input", "Reshape"]);
    expect(graph.outputs["scores"]?.shape).toEqual([1, 3, 20]);
  });

  test.each([
    [5, 7],
    [8, 8],
    [13, 6],
  ])("for a Resize to another layer's size (Shape, Slice, Concat) at %i x %i", (width, height) => {
    const nodes = [
      node("MaxPool", ["image"], "small", { kernel_shape: [2, 2], strides: [2, 2] }),
      node("Shape", ["image"], "shape"),
      node("Slice", ["shape", "two", "four", "zero"], "wanted"),
      node("Shape", ["small"], "smallShape"),
      node("Slice", ["smallShape", "zero", "two", "zero"], "kept"),
      node("Concat", ["kept", "wanted"], "sizes", { axis: 0 }),
      node("Resize", ["small", "", "", "sizes"], "scores", {
        mode: "linear",
        coordinate_transformation_mode: "half_pixel",
      }),
    ];
    const initializers = [vector("zero", [0]), vector("two", [2]), vector("four", [4])];
    const graph = readOnnx(fileOf({ nodes, initializers })).instantiate({ width, height });
    expect(graph.outputs["scores"]?.shape).toEqual([1, 3, height, width]);
    const operators = topologicalOrder(Object.values(graph.outputs)).map(({ op }) => op);
    expect(operators).toEqual(["Input", "MaxPool", "Resize"]);
  });

  test("for pads by a difference (Sub, Div, Cast, Pad)", () => {
    const nodes = [
      node("Shape", ["image"], "shape"),
      node("Gather", ["shape", "three"], "width", { axis: 0 }),
      node("Sub", ["ten", "width"], "difference"),
      node("Div", ["difference", "two"], "left"),
      node("Sub", ["difference", "left"], "right"),
      node("Unsqueeze", ["left", "axes"], "lefts"),
      node("Unsqueeze", ["right", "axes"], "rights"),
      node("Concat", ["zeros", "lefts", "zeros", "rights"], "pads", { axis: 0 }),
      node("Cast", ["pads"], "longs", { to: 7 }),
      node("Pad", ["image", "longs"], "scores"),
    ];
    const initializers = [
      scalar("three", 3),
      scalar("ten", 10),
      scalar("two", 2),
      vector("axes", [0]),
      vector("zeros", [0, 0, 0]),
    ];
    const graph = readOnnx(fileOf({ nodes, initializers })).instantiate({ width: 5, height: 4 });
    expect(graph.outputs["scores"]).toMatchObject({
      op: "Pad",
      attributes: { before: [0, 0, 0, 2], after: [0, 0, 0, 3] },
    });
  });

  test("that depends on the image's values is refused", () => {
    const nodes = [
      node("ReduceSum", ["image"], "sum", { keepdims: 0 }),
      node("Cast", ["sum"], "long", { to: 7 }),
      node("Unsqueeze", ["long", "axes"], "sizes"),
      node("Reshape", ["image", "sizes"], "scores"),
    ];
    const model = readOnnx(fileOf({ nodes, initializers: [vector("axes", [0])] }));
    const error = errorOf(() => model.instantiate({ width: 4, height: 4 }));
    expect(error.code).toBe("model-operator");
    expect(error.message).toContain("shape computed from the image's values");
  });
});

describe("a piece of a model", () => {
  test("is read with the inputs that the caller gives", () => {
    const x = build.input("image", { type: "float32", shape: [1, 3, 4, 4] });
    const graph = readOnnxGraph(fileOf({ nodes: [node("Relu", ["image"], "scores")] }), {
      inputs: { image: build.abs(x) },
    });
    expect(topologicalOrder(Object.values(graph.outputs)).map(({ op }) => op)).toEqual(["Input", "Abs", "Relu"]);
  });

  test("with an open input that nobody gives is refused", () => {
    expect(errorOf(() => readOnnxGraph(fileOf({ nodes: [node("Relu", ["image"], "scores")] }))).code).toBe(
      "model-input",
    );
  });
});
