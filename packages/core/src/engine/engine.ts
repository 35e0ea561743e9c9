import type { Composition } from "../graph/composition/composition.ts";
import type { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Abortable } from "../io/byte-source.ts";

/** What the values between a graph's inputs and outputs are held and multiplied in. */
export type Precision = "float32" | "bfloat16" | "float16";

export interface CompileOptions extends Abortable {
  /**
   * One of the engine's `precisions`; default: float32. Below it, convolutions and what lies between them are computed
   * narrower; sums are made and outputs are given as wide as ever.
   */
  readonly precision?: Precision;
  /** For messages and profiles: "map, interior tile". */
  readonly label?: string;
  /**
   * A program that runs for most tiles keeps its working memory between runs; one that runs rarely (a border tile's)
   * gives it back when another program needs some. Default: false.
   */
  readonly frequent?: boolean;
}

export interface RunResult {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** The inputs, as far as the engine gives them back: the caller's own again, whatever they hold now. */
  readonly spent?: Readonly<Record<string, Tensor>>;
  /** Time that the engine itself computed, without queueing and transfer. */
  readonly busySeconds: number;
}

/** A compiled graph. Runs of one engine are served in the order in which they were asked for. */
export interface Program extends AsyncDisposable {
  /** Names of the inputs that a run takes. */
  readonly inputs: readonly string[];
  /**
   * `inputs` by the graph's input names, each of the declared type and shape. **Takes over the inputs' buffers**: they
   * may be transferred to another thread and are unusable afterwards, but for those that it gives back. The outputs' buffers
   * are the caller's own.
   * When the signal aborts, a run that waits is withdrawn; one that computes goes on, and its result is dropped.
   * @throws {SlidelightError} `engine-failed` naming the program's label.
   * @throws {RangeError} naming the input that is missing, unknown, or of another type or shape than declared.
   */
  run(inputs: Readonly<Record<string, Tensor>>, options?: Abortable): Promise<RunResult>;
}

/**
 * What computes graphs, never on the main thread: a worker thread (ONNX Runtime), asynchronous foreign calls
 * (OpenVINO) or a process of its own (TensorFlow.js).
 */
export interface Engine extends AsyncDisposable {
  /** "onnxruntime" … */
  readonly name: string;
  /** "cpu", "cuda", "webgpu" … */
  readonly provider: string;
  readonly version: string;
  /** What computes, for people: "NVIDIA H100", "2 threads". */
  readonly device: string;
  /** What programs can be compiled to; float32 is the first. */
  readonly precisions: readonly Precision[];
  /** What float64 values are computed in; they are given out as float64 all the same. */
  readonly widest: "float32" | "float64";
  /** Whether operators run in the order of the graph: only then do values that are computed again save memory. */
  readonly keepsOrder: boolean;
  /** How convolutions and what is upsampled before them become one, where it is faster then (`graph/compose-convolutions.ts`). */
  readonly composition?: Composition | undefined;
  /** Whether opening a program takes so long that all images' tiles should be alike, so that they share programs. */
  readonly alikeTiles: boolean;
  /** Whether one opened program serves all graphs that differ from this one in nothing but how long their image axes are. */
  readonly resizes: (graph: Graph) => boolean;
  /** What a run takes in the engine, as a multiple of the values that are alive at once: layouts and work space. */
  readonly overhead: number;
  /** The same of a program for all sizes. Default: as of others. */
  readonly resizedOverhead?: number;
  /** Memory of the accelerator; undefined where programs live in the computer's own. */
  readonly memoryBytes?: number;
  /**
   * Compiles once, to run many times. Inputs are named by their nodes' names.
   * @throws {SlidelightError} `engine-failed` naming the label, when the engine does not take the graph.
   */
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
}
