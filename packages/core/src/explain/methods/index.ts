export type MethodName = "cam" | "grad-cam" | "hires-cam" | "layer-cam" | "saliency" | "input-x-gradient";
