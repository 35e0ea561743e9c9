import type { Graph } from "../graph/graph.ts";
import type { Size } from "../geometry/rectangle.ts";

/** A classifier as a file gives it: for each input size a graph from [1, C, height, width] float32 to the class scores. */
export interface Model {
  /** SHA-256 of the model's bytes, in hex. */
  readonly sha256: string;
  readonly classes?: readonly string[];
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
  readonly micronsPerPixel?: number;
  /** Free text about the model's origin ("untrained", …). */
  readonly description?: string;
  /** One Input [1, 3, height, width] with `spatial: [2, 3]`, one output. @throws `model-shape`, `model-operator`, `model-input`. */
  instantiate(size: Size): Graph;
}
