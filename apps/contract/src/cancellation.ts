/**
 * Whoever holds an image's job, or one of its shards, looks at this key every second or two: a message could be missed, a key
 * cannot. Its value is not looked at.
 */
export function cancellationKey(imageJobId: string): string {
  return `slidelight:cancelled:${imageJobId}`;
}

/** By then every job that it is about has ended. */
export const cancellationSeconds = 7 * 86_400;
