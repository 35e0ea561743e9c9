/** All results, in order; the first failure once everything has ended, so that nothing runs on behind the caller's back. */
export async function allOrFirstFailure<T extends readonly Promise<unknown>[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
