import { SlidelightError } from "../errors/slidelight-error.ts";

/** Of an engine, on any machine: ONNX Runtime starts as many as it is told, takes all memory for 100,000 and never ends. */
export const mostThreads = 1024;

/** What engines count, and within which bounds. */
const bounds = {
  threads: { least: 1, most: mostThreads },
  device: { least: 0, most: Number.MAX_SAFE_INTEGER },
} as const;

const names = ["threads", "device"] as const satisfies readonly (keyof typeof bounds)[];

/**
 * The same for all engines, before any of them is loaded.
 * @throws {SlidelightError} `usage` naming the setting and its bounds.
 */
export function checkSettings(settings: { readonly [N in keyof typeof bounds]?: number | undefined }): void {
  for (const name of names) {
    const value = settings[name];
    const { least, most } = bounds[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) continue;
    const upTo = most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`;
    throw new SlidelightError(
      "usage",
      `Opening an engine: expected ${name} to be an integer from ${least}${upTo}, got ${value}. Leave --${name} away for the default.`,
    );
  }
}
