import { describeFailed } from "./describe-failed.ts";
import { tally } from "./report-entry.ts";
import type { ReportEntry, ReportFacts } from "./report-entry.ts";
import { htmlReport } from "./report-html.ts";

type Render = (entries: AsyncIterable<ReportEntry>, facts: ReportFacts) => AsyncGenerator<string>;

export type ReportFormat = "text" | "json" | "csv" | "html";

/** Entries as texts, one after the other: no report holds them all. */
export const reportFormats: Readonly<Record<ReportFormat, Render>> = {
  text: textReport,
  json: jsonReport,
  csv: csvReport,
  html: htmlReport,
};

/** Failures that a terminal is told; the other forms tell all. */
const shownFailures = 1000;

async function* textReport(entries: AsyncIterable<ReportEntry>, facts: ReportFacts): AsyncGenerator<string> {
  const counts = tally();
  const failures: ReportEntry[] = [];
  for await (const entry of entries) {
    counts.add(entry);
    if (entry.status === "failed" && failures.length < shownFailures) failures.push(entry);
  }
  const { done, skipped, failed, failuresByCode } = counts.summary();
  const count = (name: string, value: number): string => `  ${name.padEnd(22)}${String(value).padStart(9)}\n`;
  yield `${facts.source}\n`;
  yield count("done", done) + count("skipped", skipped) + count("failed", failed);
  if (facts.queue !== undefined) yield `queue ${facts.queue}\n`;
  if (failed === 0) return;
  yield "failures by code\n";
  for (const [code, value] of Object.entries(failuresByCode)) yield count(code, value);
  yield "failures\n";
  for (const failure of failures) {
    const { attempts, at } = failure;
    const tries = attempts === null ? "" : `${attempts} attempt${attempts === 1 ? "" : "s"}, `;
    yield `${describeFailed(failure)} (${tries}${at ?? "at an unknown time"})\n`;
  }
  if (failed > failures.length) yield `… and ${failed - failures.length} more: --csv, --json and --html tell all\n`;
}

async function* jsonReport(entries: AsyncIterable<ReportEntry>, facts: ReportFacts): AsyncGenerator<string> {
  const counts = tally();
  const { madeAt, source, queue = null } = facts;
  yield `{\n  "schemaVersion": 1,\n  "madeAt": ${JSON.stringify(madeAt)},\n  "source": ${JSON.stringify(source)},\n  "queue": ${JSON.stringify(queue)},\n  "entries": [`;
  let separator = "\n    ";
  for await (const entry of entries) {
    counts.add(entry);
    yield `${separator}${JSON.stringify(entry)}`;
    separator = ",\n    ";
  }
  yield `\n  ],\n  "summary": ${JSON.stringify(counts.summary())}\n}\n`;
}

const csvColumns = [
  "image",
  "key",
  "status",
  "runId",
  "method",
  "target",
  "output",
  "code",
  "message",
  "attempts",
  "at",
] as const satisfies readonly (keyof ReportEntry)[];

/** RFC 4180: CRLF, and quotes around what holds a comma, a quote or a line break. */
async function* csvReport(entries: AsyncIterable<ReportEntry>): AsyncGenerator<string> {
  yield `${csvColumns.join(",")}\r\n`;
  for await (const entry of entries) {
    yield `${csvColumns.map((column) => csvField(String(entry[column] ?? ""))).join(",")}\r\n`;
  }
}

function csvField(text: string): string {
  return /[",\r\n]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
