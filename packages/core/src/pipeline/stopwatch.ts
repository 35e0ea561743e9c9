import type { Observe, PipelineEvent, Stage } from "./events.ts";

type Timed = <T>(stage: Stage, work: () => Promise<T>) => Promise<T>;

/** Tells how long each piece of work takes, and which one failed. */
export function stopwatch(observe: Observe): Timed {
  return async (stage, work) => {
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    try {
      const result = await work();
      observe({ kind: "stage-done", stage, seconds: seconds() });
      return result;
    } catch (error) {
      observe({ kind: "stage-failed", stage, seconds: seconds(), error });
      throw error;
    }
  };
}

/** Adds up what is observed of each stage, for the manifest. */
export function summed(observe: Observe): {
  readonly observe: Observe;
  readonly seconds: Readonly<Record<string, number>>;
} {
  const seconds: Record<string, number> = {};
  const add = (name: string, value: number): void => {
    seconds[name] = (seconds[name] ?? 0) + value;
  };
  return {
    seconds,
    observe: (event: PipelineEvent) => {
      if (event.kind === "stage-done") add(event.stage, event.seconds);
      if (event.kind === "tile-done" || event.kind === "probe-done") add("engineBusy", event.busySeconds);
      observe(event);
    },
  };
}
