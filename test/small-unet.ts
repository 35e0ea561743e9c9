import { encodeOnnx, readOnnx, unetGraph, unetParameters } from "@slidelight/core";
import type { Model, UNetSettings } from "@slidelight/core";

/** An untrained U-Net of depth 2, read from its ONNX bytes as a user's is; a mean pool, unless told otherwise. */
export function smallUNet(settings: Partial<UNetSettings> = {}): Model {
  const all: UNetSettings = {
    depth: 2,
    baseChannels: 4,
    decoder: true,
    classes: 3,
    pool: { kind: "mean" },
    pooled: "features",
    upsampling: "transposed",
    seed: 5,
    ...settings,
  };
  const graph = unetGraph(all, unetParameters(all), { width: 64, height: 64 });
  return readOnnx(
    encodeOnnx(graph, {
      dynamicAxes: true,
      metadata: { "slidelight.mean": "0.5,0.5,0.5", "slidelight.std": "0.2,0.2,0.2" },
    }),
  );
}
