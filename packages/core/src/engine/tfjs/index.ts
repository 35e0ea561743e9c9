export { openTfjsEngine } from "./open-engine.ts";
export type { TfjsEngine, TfjsOptions } from "./open-engine.ts";
