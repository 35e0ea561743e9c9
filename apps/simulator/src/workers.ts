import { openLine } from "./line.ts";
import type { Night } from "./night.ts";
import type { Run } from "./run.ts";
import { traitsOf } from "./worker-classes.ts";
import type { WorkerClass, WorkerTraits } from "./worker-classes.ts";

export interface WorkerState {
  readonly index: number;
  readonly class: WorkerClass;
  /** Counts the machines that this worker has had; 0 before the first. */
  life: number;
  traits: WorkerTraits;
  run: Run | undefined;
  /** When its machine started; `undefined` while there is none. */
  since: number | undefined;
}

export interface Workers {
  readonly all: readonly WorkerState[];
  /** Gives it a machine. */
  start(worker: WorkerState, now: number): void;
  /** Lets it wait for a job. */
  idle(worker: WorkerState): void;
  /** The one that has waited longest. */
  takeIdle(): WorkerState | undefined;
  /** Takes its machine away; gives the seconds that it was there. */
  lose(worker: WorkerState, now: number): number;
}

export function openWorkers({ workers, seed }: Pick<Night, "workers" | "seed">): Workers {
  const classes = workers.flatMap(({ class: own, count }) => Array.from({ length: count }, () => own));
  const all = classes.map((own, index): WorkerState => {
    const traits = traitsOf(own, { seed, index, life: 0 });
    return { index, class: own, life: 0, traits, run: undefined, since: undefined };
  });
  const waiting = openLine<{ readonly worker: WorkerState; readonly life: number }>();
  return {
    all,
    start: (worker, now) => {
      worker.life += 1;
      worker.traits = traitsOf(worker.class, { seed, index: worker.index, life: worker.life });
      worker.since = now;
    },
    idle: (worker) => waiting.join({ worker, life: worker.life }),
    takeIdle: () => {
      for (;;) {
        const next = waiting.take();
        if (next === undefined) return undefined;
        // The machine may have been lost while it waited.
        if (next.worker.life === next.life && next.worker.since !== undefined) return next.worker;
      }
    },
    lose: (worker, now) => {
      const seconds = worker.since === undefined ? 0 : now - worker.since;
      worker.since = undefined;
      return seconds;
    },
  };
}
