export { openOpenVinoEngine } from "./open-engine.ts";
export type { OpenVinoOptions } from "./open-engine.ts";
