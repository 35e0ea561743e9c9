import type { ElementType, Tensor } from "../../../graph/tensor.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { AttributeProto, AttributeValue, NodeProto, TensorProto } from "../proto.ts";
import { encodeTensor } from "../tensors.ts";

/** Attribute values as they are written in a lowering: integers unless marked as a float. */
export type Attributes = Readonly<Record<string, number | readonly number[] | string | { readonly float: number }>>;

/**
 * ONNX Runtime's own: Conv and the like on [N, H, W, C]. It makes such operators itself where a provider asks for that layout, and
 * takes a file that has them.
 */
export const channelsLastDomain = "com.ms.internal.nhwc";

/** Collects the ONNX nodes and constants that a graph becomes. */
export interface Emitter {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  /** Adds a node and returns its output's name; `name` is that output's when it must have one. */
  emit(operator: string, inputs: readonly string[], attributes?: Attributes, name?: string): string;
  /**
   * The same for an operator on images [N, C, H, W] whose first input lies channels last in memory meanwhile. Where such operators follow
   * each other, ONNX Runtime takes out what turns them to and fro.
   */
  emitChannelsLast(operator: string, inputs: readonly string[], attributes?: Attributes, name?: string): string;
  /** Adds a Split of the first axis into parts of these sizes and returns the name of the wanted one; `name` when it must have one. */
  emitPart(value: string, sizes: readonly number[], wanted: number, name?: string): string;
  /** Adds a constant and returns its name. */
  tensor(tensor: Tensor, name?: string): string;
  /** An int64 vector: shapes, axes and the like. */
  integers(values: readonly number[]): string;
  /** A float32 vector. */
  floats(values: readonly number[]): string;
  /** A scalar; default: float32. */
  number(value: number, type?: ElementType): string;
}

/** `reserved` are the names that a caller gives out; made-up ones differ from them. */
export function openEmitter(reserved: ReadonlySet<string>): Emitter {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const shared = new Map<string, string>();
  let count = 0;
  const fresh = (): string => {
    for (;;) {
      count += 1;
      const name = `_${count}`;
      if (!reserved.has(name)) return name;
    }
  };
  const tensor = (value: Tensor, name = fresh()): string => {
    initializers.push(encodeTensor(value, name));
    return name;
  };
  const once = (key: string, make: () => Tensor): string => {
    const known = shared.get(key);
    if (known !== undefined) return known;
    const name = tensor(make());
    shared.set(key, name);
    return name;
  };
  const integers = (values: readonly number[]): string =>
    once(`i${values.join()}`, () => tensorOf("int64", [values.length], values));
  const emitOf =
    (domain: string): Emitter["emit"] =>
    (operator, inputs, attributes = {}, name = fresh()) => {
      nodes.push({ name, operator, domain, inputs: trimmed(inputs), outputs: [name], attributes: encoded(attributes) });
      return name;
    };
  const emit = emitOf("");
  const emitTurned = emitOf(channelsLastDomain);
  return {
    nodes,
    initializers,
    emit,
    emitChannelsLast: (operator, [x = "", ...others], attributes, name) => {
      const turned = emit("Transpose", [x], { perm: [0, 2, 3, 1] });
      const y = emitTurned(operator, [turned, ...others], attributes);
      return emit("Transpose", [y], { perm: [0, 3, 1, 2] }, name);
    },
    emitPart: (value, sizes, wanted, name = fresh()) => {
      nodes.push({
        name,
        operator: "Split",
        domain: "",
        inputs: [value, integers(sizes)],
        outputs: sizes.map((_, part) => (part === wanted ? name : fresh())),
        attributes: encoded({ axis: 0 }),
      });
      return name;
    },
    tensor,
    integers,
    floats: (values) => once(`f${values.join()}`, () => tensorOf("float32", [values.length], values)),
    number: (value, type = "float32") => once(`${type}${value}`, () => tensorOf(type, [], [value])),
  };
}

/** Absent operands at the end are left away. */
function trimmed(inputs: readonly string[]): readonly string[] {
  const last = inputs.findLastIndex((name) => name !== "");
  return inputs.slice(0, last + 1);
}

function encoded(attributes: Attributes): readonly AttributeProto[] {
  return Object.entries(attributes).map(([name, value]) => ({ name, value: attributeValue(value) }));
}

function attributeValue(value: Attributes[string]): AttributeValue {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  if ("float" in value) return { kind: "float", value: value.float };
  return { kind: "ints", value };
}
