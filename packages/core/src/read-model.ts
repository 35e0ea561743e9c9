// Models as they are read and described, without what computes them.
export { classNames } from "./explain/classes.ts";
export { readOnnx } from "./format/onnx/read-onnx.ts";
export { describeModel } from "./model/describe.ts";
