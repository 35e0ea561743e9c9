// The chart of engines in `docs/performance.md`: megapixels a second of each, a bar at the median, a line from the worst to the best round.

const row = 20;
const [left, plot, gap] = [330, 250, 90];
const titles = { "grad-cam": "Grad-CAM (PyTorch: forward)", saliency: "saliency (PyTorch: gradient to the input)" };

/** @param rows `{ base, method, what, "MP/s", best, worst }`. */
export function enginesChart(rows) {
  const parts = [];
  let top = 44;
  for (const base of new Set(rows.map((one) => one.base))) {
    const panels = Object.entries(titles).map(([method, title]) => ({
      title,
      panel: rows.filter((one) => one.base === base && one.method === method).toSorted((a, b) => b["MP/s"] - a["MP/s"]),
    }));
    const most = Math.max(...panels.map(({ panel }) => panel.length));
    parts.push(text(12, top - 12, `${base} base channels`, 'font-weight="600"'));
    for (const [column, { title, panel }] of panels.entries()) {
      const from = left + column * (plot + gap + left);
      const largest = Math.max(...panel.map(({ best }) => best));
      const x = (value) => Math.round((from + (value / largest) * plot) * 10) / 10;
      parts.push(text(from, top - 12, title));
      for (const [index, { what, best, worst, "MP/s": speed }] of panel.entries()) {
        const y = top + index * row;
        parts.push(
          text(from - 8, y + 11, what, 'text-anchor="end"'),
          `<rect x="${from}" y="${y + 2}" width="${x(speed) - from}" height="${row - 6}" fill="${colourOf(what)}"/>`,
          `<line x1="${x(worst)}" x2="${x(best)}" y1="${y + 9}" y2="${y + 9}" stroke="#222"/>`,
          text(x(best) + 6, y + 11, `${speed.toFixed(speed < 1 ? 3 : 2)} MP/s`, 'fill="#555"'),
        );
      }
    }
    top += most * row + 48;
  }
  const width = 2 * (left + plot + gap);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top - 20}" font-family="system-ui, sans-serif" font-size="11"><rect width="${width}" height="${top - 20}" fill="#fff"/>${parts.join("")}</svg>\n`;
}

function colourOf(what) {
  if (/grad-cam/u.test(what)) return "#9a9a96";
  return what.startsWith("PyTorch") ? "#d9822b" : "#1f5a96";
}

function text(x, y, content, more = "") {
  return `<text x="${x}" y="${y}" ${more}>${content}</text>`;
}
