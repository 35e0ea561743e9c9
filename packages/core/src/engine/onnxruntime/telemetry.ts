/**
 * From 1.30 on, ONNX Runtime's binaries send usage data to their maker and write an identifier to disk unless this
 * variable is set before they are loaded (https://github.com/microsoft/onnxruntime/pull/27379). Nothing of a
 * pathology archive may leave it unasked. It has to be the process's own environment: a thread's is a copy.
 */
export function refuseTelemetry(): void {
  process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
}

/** Sets variables that native libraries read when they are loaded, in the process's own environment for the same reason. */
export function tellLibraries(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) process.env[name] ??= value;
}
