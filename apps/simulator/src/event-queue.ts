/** What will happen, by time; what was put first comes first where times are equal. */
export interface EventQueue<E> {
  readonly size: number;
  put(seconds: number, event: E): void;
  /** Takes out the next one. */
  next(): { readonly seconds: number; readonly event: E } | undefined;
}

interface Entry<E> {
  readonly seconds: number;
  readonly order: number;
  readonly event: E;
}

/** A binary heap. */
export function openEventQueue<E>(): EventQueue<E> {
  const heap: Entry<E>[] = [];
  let order = 0;
  return {
    get size() {
      return heap.length;
    },
    put: (seconds, event) => {
      const entry = { seconds, order, event };
      order += 1;
      let at = heap.length;
      for (; at > 0; at = (at - 1) >> 1) {
        const above = heap[(at - 1) >> 1];
        if (above === undefined || isBefore(above, entry)) break;
        heap[at] = above;
      }
      heap[at] = entry;
    },
    next: () => {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || last === undefined || heap.length === 0) return first;
      sink(heap, last);
      return first;
    },
  };
}

/** Puts an entry in the place of the first. */
function sink<E>(heap: Entry<E>[], entry: Entry<E>): void {
  let at = 0;
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
    const takesRight = left !== undefined && right !== undefined && isBefore(right, left);
    const below = takesRight ? right : left;
    if (below === undefined || isBefore(entry, below)) break;
    heap[at] = below;
    at = 2 * at + (takesRight ? 2 : 1);
  }
  heap[at] = entry;
}

function isBefore<E>(a: Entry<E>, b: Entry<E>): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.order < b.order);
}
