export { renderTissue } from "./tissue.ts";
export type { Tissue, TissueRegion, TissueSettings } from "./tissue.ts";
export { writeLargeTiff, writeTissueSlide } from "./write-slide.ts";
export type { SlideSettings } from "./write-slide.ts";
