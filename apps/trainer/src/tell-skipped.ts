import type { Progress } from "@slidelight/contract";
import type { Unreadable } from "./decode-image.ts";

/** Skipped images that are named on the terminal; the report names all. */
const namedSkips = 10;

export function tellSkipped(skipped: readonly Unreadable[], progress: Progress): void {
  if (skipped.length === 0) return;
  progress.line(`${skipped.length} ${skipped.length === 1 ? "image is" : "images are"} left out:`);
  for (const { code, message } of skipped.slice(0, namedSkips)) progress.line(`  [${code}] ${message}`);
  if (skipped.length > namedSkips) progress.line(`  and ${skipped.length - namedSkips} more, which the report names`);
}
