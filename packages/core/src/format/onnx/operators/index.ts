import type { OperatorReader } from "../operator-call.ts";
import { constantOperators } from "./constants.ts";
import { elementwiseOperators } from "./elementwise.ts";
import { layoutOperators } from "./layout.ts";
import { linearOperators } from "./linear.ts";
import { reductionOperators } from "./reduction.ts";
import { resizeOperators } from "./resize.ts";
import { windowOperators } from "./window.ts";

/** The operators of ai.onnx that can be read, by name. */
export const operatorReaders: ReadonlyMap<string, OperatorReader> = new Map(
  Object.entries({
    ...elementwiseOperators,
    ...windowOperators,
    ...resizeOperators,
    ...layoutOperators,
    ...reductionOperators,
    ...linearOperators,
    ...constantOperators,
  }),
);
