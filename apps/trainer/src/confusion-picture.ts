import type { Confusion } from "@slidelight/core";
import { escape } from "./html-page.ts";

const cell = 64;
const head = 110;

/** How often an image of a class (a row) was taken for another (a column), as SVG; darker for a larger share of the row. */
export function confusionPicture(confusion: Confusion, classes: readonly string[]): string {
  const width = head + cell * classes.length;
  const height = head * 0.5 + cell * classes.length;
  const name = (text: string): string => escape(text.length > 14 ? `${text.slice(0, 13)}…` : text);
  const columns = classes.map(
    (text, column) =>
      `<text x="${head + cell * (column + 0.5)}" y="${head * 0.5 - 8}" text-anchor="middle">${name(text)}</text>`,
  );
  const rows = confusion.map((counts, row) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const top = head * 0.5 + row * cell;
    const cells = counts.map((count, column) => {
      const share = total === 0 ? 0 : count / total;
      const colour = `rgb(${[31, 90, 150].map((dark) => Math.round(255 - share * (255 - dark))).join(",")})`;
      const left = head + column * cell;
      return `<rect x="${left}" y="${top}" width="${cell - 2}" height="${cell - 2}" fill="${colour}"/><text x="${left + cell / 2}" y="${top + cell / 2 + 4}" text-anchor="middle" fill="${share > 0.5 ? "#fff" : "#1c1c1c"}">${count}</text>`;
    });
    return `<text x="${head - 8}" y="${top + cell / 2 + 4}" text-anchor="end">${name(classes[row] ?? "")}</text>${cells.join("")}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" font-family="system-ui, sans-serif" font-size="12"><title>Confusion matrix</title><text x="4" y="14" fill="#666">is \\ taken for</text>${columns.join("")}${rows.join("")}</svg>`;
}
