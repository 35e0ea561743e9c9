export type { Chromatin } from "./chromatin.ts";
export { tissueClasses, tissueDataset, tissueSample } from "./sample.ts";
export type { SampleSettings, TissueSample } from "./sample.ts";
export { renderTissue } from "./tissue.ts";
export type { Tissue, TissueRegion, TissueSettings } from "./tissue.ts";
export { writeLargeTiff, writeTissueSlide } from "./write-slide.ts";
export type { SlideSettings } from "./write-slide.ts";
export { writeTissueBenchmark } from "./write-benchmark.ts";
export type { BenchmarkSettings } from "./write-benchmark.ts";
