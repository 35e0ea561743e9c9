import type { Streams } from "./command.ts";

/** Long work, told on a terminal as one line that is redrawn, elsewhere as log lines now and then. */
export interface Progress extends Disposable {
  /** Replaces what is known; the text says what is being done. */
  update(state: { readonly text: string; readonly done: number; readonly total: number }): void;
  /** A line that stays. */
  line(text: string): void;
}

const redrawMs = 100;
const logMs = 10_000;
const barWidth = 24;

/**
 * @param rate Prints a speed: units of `done` a second.
 * @param quiet Only lines that must be seen; `line` writes still.
 */
export function openProgress(
  stream: Streams["stderr"],
  options: { readonly quiet: boolean; rate(perSecond: number): string },
): Progress {
  const terminal = stream.isTTY === true;
  let startedMs: number | undefined;
  let shownMs = 0;
  let drawn = false;
  let last = { text: "", done: 0, total: 0 };
  let firstDone = 0;
  const clear = (): void => {
    if (drawn) stream.write("\r\x1b[K");
    drawn = false;
  };
  return {
    update: (state) => {
      if (options.quiet) return;
      const now = performance.now();
      if (startedMs === undefined || state.total !== last.total || state.done < last.done) {
        startedMs = now;
        firstDone = state.done;
      }
      last = state;
      const finished = state.done >= state.total;
      if (now - shownMs < (terminal ? redrawMs : logMs) && !(terminal && finished)) return;
      if (!terminal && shownMs === 0) {
        shownMs = now;
        return;
      }
      shownMs = now;
      const perSecond = (state.done - firstDone) / Math.max(0.001, (now - startedMs) / 1000);
      const share = state.total === 0 ? 0 : Math.min(1, state.done / state.total);
      const left = perSecond > 0 ? `${duration((state.total - state.done) / perSecond)} left` : "";
      const facts = `${String(Math.floor(share * 100)).padStart(3)} %  ${options.rate(perSecond)}  ${left}`;
      if (terminal) {
        const full = Math.round(share * barWidth);
        const bar = `${"█".repeat(full)}${"░".repeat(barWidth - full)}`;
        stream.write(`\r\x1b[K${`${bar} ${facts}  ${state.text}`.slice(0, (stream.columns ?? 80) - 1)}`);
        drawn = true;
      } else {
        stream.write(`${state.text}: ${facts}\n`);
      }
    },
    line: (text) => {
      clear();
      stream.write(`${text}\n`);
    },
    [Symbol.dispose]: clear,
  };
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
