// Parts of a page that a command writes: between `<!-- <command>: <name> -->` and `<!-- end: <name> -->`.

/** The page with what lies between the marks replaced. @throws {Error} when it has no such marks. */
export function withMarked(page, { command, name, content }) {
  const [from, to] = [`<!-- ${command}: ${name} -->`, `<!-- end: ${name} -->`];
  const [start, end] = [page.indexOf(from), page.indexOf(to)];
  if (start < 0 || end < start) throw new Error(`The page has no marks ${from} and ${to}, in this order.`);
  return `${page.slice(0, start + from.length)}\n${content}\n${page.slice(end)}`;
}
