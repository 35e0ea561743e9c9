import { digestOfModel } from "../../format/onnx/digest-of-model.ts";
import { modelProto } from "../../format/onnx/encode.ts";
import type { ModelProto } from "../../format/onnx/proto.ts";
import type { Graph } from "../../graph/graph.ts";
import { peakActivationBytes } from "../../graph/memory.ts";
import type { Precision } from "../engine.ts";
import { narrowness } from "../memory.ts";
import type { PooledModel } from "../warm-pool.ts";
import { boundedInputs } from "./bounded-inputs.ts";
import type { BoundedInput } from "./bounded-inputs.ts";
import { suited } from "./rewrite.ts";

/** What is kept of a program while it is not compiled. */
export interface OpenVinoModel extends PooledModel {
  readonly proto: ModelProto;
  /** Inputs with open axes of which something is known. */
  readonly bounded: readonly BoundedInput[];
  readonly precision: Precision;
}

/** Layouts and work space, as a multiple of the values that are alive: measured 0.8 to 1.1 on U-Nets, gradients included, and 1.3 in models for all sizes. */
export const overheads = { ofOneSize: 1.1, ofAllSizes: 1.3 } as const;

/** @param options.dynamicAxes Whether it is one model for all sizes. */
export function modelOf(
  graph: Graph,
  options: Pick<OpenVinoModel, "precision" | "frequent"> & { readonly dynamicAxes: boolean },
): OpenVinoModel {
  const { precision, frequent, dynamicAxes } = options;
  const proto = modelProto(suited(graph, precision), { splits: true, windowMaxima: true, dynamicAxes });
  const bounded = dynamicAxes ? boundedInputs(graph) : [];
  const overhead = dynamicAxes ? overheads.ofAllSizes : overheads.ofOneSize;
  return {
    ...(dynamicAxes ? { key: [precision, JSON.stringify(bounded), digestOfModel(proto)].join(" ") } : {}),
    proto,
    bounded,
    precision,
    frequent,
    workingBytes: overhead * peakActivationBytes(graph) * narrowness[precision],
  };
}
