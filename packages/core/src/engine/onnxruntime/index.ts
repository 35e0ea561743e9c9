export { openOnnxRuntimeEngine } from "./open-engine.ts";
export type { OnnxRuntimeOptions } from "./open-engine.ts";
export type { Provider } from "./providers.ts";
