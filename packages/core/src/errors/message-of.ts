/** An error's message on one line, without the full stop: to be quoted in another's. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .trim()
    .replace(/\s*\n\s*/gu, "; ")
    .replace(/\.$/u, "");
}
