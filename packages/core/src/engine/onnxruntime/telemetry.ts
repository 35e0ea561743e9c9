import { tellLibraries } from "../environment.ts";

/**
 * From 1.30 on, ONNX Runtime's binaries send usage data to their maker and write an identifier to disk unless this
 * variable is set before they are loaded (https://github.com/microsoft/onnxruntime/pull/27379). Nothing of a
 * pathology archive may leave it unasked.
 */
export function refuseTelemetry(): void {
  tellLibraries({ ORT_DISABLE_TELEMETRY: "1" });
}
