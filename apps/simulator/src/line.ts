/** Who or what waits: taken from the front, joined at the back, or in front where it was taken before. */
export interface Line<T> {
  readonly size: number;
  join(item: T): void;
  joinFront(item: T): void;
  take(): T | undefined;
}

/** What is taken for gone is cut off when it is more than this and more than what waits. */
const leastCut = 1024;

export function openLine<T>(): Line<T> {
  const front: T[] = [];
  let back: T[] = [];
  let taken = 0;
  return {
    get size() {
      return front.length + back.length - taken;
    },
    join: (item) => void back.push(item),
    joinFront: (item) => void front.push(item),
    take: () => {
      const first = front.pop();
      if (first !== undefined) return first;
      const item = back[taken];
      if (item === undefined) return undefined;
      taken += 1;
      if (taken > leastCut && taken * 2 > back.length) {
        back = back.slice(taken);
        taken = 0;
      }
      return item;
    },
  };
}
