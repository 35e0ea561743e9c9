/** An image that failed, with what was asked of it, where that is known: several between spaces. */
export interface FailedImage {
  readonly image: string;
  readonly method: string | null;
  readonly target: string | null;
  readonly code: string | null;
  readonly message: string | null;
}

/** One line: jobs of one image differ in what was asked. */
export function describeFailed({ image, method, target, code, message }: FailedImage): string {
  const asked = [method, target].filter((part) => part !== null && part !== "");
  const subject = asked.length === 0 ? image : `${image} (${asked.join(", ")})`;
  return `✗ ${subject}: [${code ?? "unexpected"}] ${message ?? ""}`;
}
