/** What became of an image's run, or of an image that failed, which names all runs that were asked for. */
export interface ReportEntry {
  /** Path or address of the image. */
  readonly image: string;
  /** Under which its results lie. */
  readonly key: string;
  readonly status: "done" | "skipped" | "failed";
  readonly runId: string | null;
  /** One, or those that were asked for, between spaces. */
  readonly method: string | null;
  readonly target: string | null;
  readonly output: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly attempts: number | null;
  /** When it ended. */
  readonly at: string | null;
}

export interface ReportSummary {
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
  readonly failuresByCode: Readonly<Record<string, number>>;
}

/** Counts entries as they come by. */
export function tally(): { add(entry: ReportEntry): void; summary(): ReportSummary } {
  const counts = { done: 0, skipped: 0, failed: 0 };
  const codes = new Map<string, number>();
  return {
    add: ({ status, code }) => {
      counts[status] += 1;
      if (code !== null) codes.set(code, (codes.get(code) ?? 0) + 1);
    },
    summary: () => ({
      ...counts,
      failuresByCode: Object.fromEntries([...codes].sort(([, one], [, other]) => other - one)),
    }),
  };
}

/** What a report says besides its entries. */
export interface ReportFacts {
  readonly madeAt: string;
  /** What it tells of, to print. */
  readonly source: string;
  /** The queue's name and counts, to print; `undefined` when it was not asked. */
  readonly queue: string | undefined;
}
