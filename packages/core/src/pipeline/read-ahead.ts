/**
 * Starts up to `depth` pieces of work ahead of the one that is asked for, and gives their results in order. When the
 * consumer stops early, what was started is waited for, so that nothing runs on behind its back.
 */
export async function* readAhead<T, R>(
  items: Iterable<T>,
  options: { readonly depth: number; readonly start: (item: T) => Promise<R> },
): AsyncGenerator<R> {
  const started: Promise<R>[] = [];
  const iterator = items[Symbol.iterator]();
  const startNext = (): void => {
    const next = iterator.next();
    if (next.done === true) return;
    const work = options.start(next.value);
    // The failure is met when its turn comes; until then it must not count as unhandled.
    work.catch(() => undefined);
    started.push(work);
  };
  for (let count = 0; count < options.depth; count += 1) startNext();
  try {
    for (let work = started.shift(); work !== undefined; work = started.shift()) {
      const result = await work;
      startNext();
      yield result;
    }
  } finally {
    await Promise.allSettled(started);
  }
}
