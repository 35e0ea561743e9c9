import { encodeOnnx } from "../format/onnx/encode.ts";
import { unetGraph } from "../model/unet.ts";
import { foldedNetwork } from "./parameters.ts";
import type { Trained } from "./train-network.ts";
import type { TrainingSettings } from "./settings.ts";

export interface ModelFacts {
  readonly settings: TrainingSettings;
  readonly classes: readonly string[];
  readonly micronsPerPixel?: number;
  readonly description: string;
  /** What else the training record tells, as JSON. */
  readonly record: Readonly<Record<string, unknown>>;
}

/**
 * The trained network as an ONNX file for images of any size: the plain U-Net of the best epoch, with its classes, what its pixels are
 * normalised by, its resolution, and under `slidelight.training` the record of its training in its metadata.
 */
export function encodeTrainedModel({ best, history, stoppedEarly, split }: Trained, facts: ModelFacts): Uint8Array {
  const { settings, classes, micronsPerPixel, description, record } = facts;
  const { settings: unet, parameters } = foldedNetwork(settings.network, best);
  // Any multiple of the stride: the image axes are written as open ones.
  const side = 8 * 2 ** unet.depth;
  const training = {
    ...record,
    settings,
    images: { training: split.training.length, validation: split.validation.length },
    best: { epoch: best.epoch, ...(best.confusion === undefined ? {} : { confusion: best.confusion }) },
    stoppedEarly,
    history,
  };
  return encodeOnnx(unetGraph(unet, parameters, { width: side, height: side }), {
    dynamicAxes: true,
    metadata: {
      "slidelight.classes": JSON.stringify(classes),
      "slidelight.mean": settings.mean.join(","),
      "slidelight.std": settings.std.join(","),
      ...(micronsPerPixel === undefined ? {} : { "slidelight.mpp": String(micronsPerPixel) }),
      "slidelight.description": description,
      "slidelight.training": JSON.stringify(training),
    },
  });
}
