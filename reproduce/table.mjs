import { readFileSync } from "node:fs";

/** The rows of a table without quotes, by the names of its first line. */
export function rowsOf(path) {
  const [head, ...lines] = readFileSync(path, "utf8").trim().split(/\r?\n/u);
  const names = head.split(",");
  return lines.map((line) => {
    const values = line.split(",");
    return Object.fromEntries(names.map((name, index) => [name, values[index]]));
  });
}
