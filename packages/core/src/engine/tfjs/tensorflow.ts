import type * as core from "@tensorflow/tfjs-core";

/**
 * TensorFlow.js's operations. There may be two of it in an installation: the one of the npm package, which has the wasm
 * backend, and the one that the binding of libtensorflow brings; what computes is told which.
 */
export type TensorFlow = typeof core;
export type { Tensor as TfTensor, Tensor4D } from "@tensorflow/tfjs-core";
