import { tally } from "./report-entry.ts";
import type { ReportEntry, ReportFacts } from "./report-entry.ts";

const style = `
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem; display: flex; flex-direction: column; gap: 1rem; color: #1c1c1c }
header { order: -3 } #summary { order: -2 } form { order: -1; display: flex; gap: .5rem }
h1 { font-size: 1.4rem; margin: 0 } input { flex: 1; max-width: 40rem } input, select { font: inherit; padding: .3rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
thead th { position: sticky; top: 0; background: #fff } td { overflow-wrap: anywhere }
tr[data-status=failed] td:first-child { color: #a4262c; font-weight: 600 } tr[hidden] { display: none }
`;

/** Hides the rows that do not hold all words, or have another status. */
const script = `
const [words, status] = [document.getElementById("words"), document.getElementById("status")];
const rows = [...document.querySelectorAll("tbody tr")];
const filter = () => {
  const wanted = words.value.toLowerCase().split(/\\s+/);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = (status.value !== "" && row.dataset.status !== status.value) || !wanted.every((word) => text.includes(word));
  }
};
words.addEventListener("input", filter);
status.addEventListener("input", filter);
`;

const columns = [
  "status",
  "image",
  "runId",
  "method",
  "target",
  "output",
  "code",
  "message",
  "attempts",
  "at",
] as const;
const titles: Readonly<Record<(typeof columns)[number], string>> = {
  status: "Status",
  image: "Image",
  runId: "Run",
  method: "Method",
  target: "Target",
  output: "Output",
  code: "Code",
  message: "Message",
  attempts: "Attempts",
  at: "Ended",
};

/** One page that needs nothing else. The summary is known at the end, and shown at the top. */
export async function* htmlReport(entries: AsyncIterable<ReportEntry>, facts: ReportFacts): AsyncGenerator<string> {
  const counts = tally();
  const head = columns.map((column) => `<th>${titles[column]}</th>`).join("");
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Slidelight report</title>
<style>${style}</style>
</head>
<body>
<header><h1>Slidelight report</h1><p>${escape(facts.source)}, ${escape(facts.madeAt)}</p></header>
<form onsubmit="return false"><input id="words" type="search" placeholder="Words that a row must hold" aria-label="Filter"><select id="status" aria-label="Status"><option value="">All</option><option>done</option><option>skipped</option><option>failed</option></select></form>
<table>
<thead><tr>${head}</tr></thead>
<tbody>
`;
  for await (const entry of entries) {
    counts.add(entry);
    const cells = columns.map((column) => `<td>${escape(String(entry[column] ?? ""))}</td>`).join("");
    yield `<tr data-status="${entry.status}">${cells}</tr>\n`;
  }
  const { done, skipped, failed, failuresByCode } = counts.summary();
  const codes = Object.entries(failuresByCode).map(([code, count]) => `<li>${escape(code)}: ${count}</li>`);
  const queue = facts.queue === undefined ? "" : `<p>Queue ${escape(facts.queue)}</p>\n`;
  yield `</tbody>
</table>
<section id="summary">
<p><b>${done}</b> done, <b>${skipped}</b> skipped, <b>${failed}</b> failed</p>
${queue}<ul>${codes.join("")}</ul>
</section>
<script>${script}</script>
</body>
</html>
`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/gu, (character) => entities[character] ?? character);
}
