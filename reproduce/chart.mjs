// The chart of `docs/evidence.md`: every network's PxAP by method, a dot for each repeat, a bar at the mean.
import { methods } from "./summary.mjs";

const row = 30;
const left = 430;
const plot = 460;
const colours = {
  cam: "#1f5a96",
  "grad-cam": "#5b9bd5",
  "hires-cam": "#2b8a8a",
  "layer-cam": "#6a4c9c",
  saliency: "#c1571a",
  "input-x-gradient": "#e0a030",
};

/** @param panels `{ title, key, summaries }`, one below the other. */
export function chart(panels) {
  const parts = [];
  let top = 64;
  for (const { title, key, summaries } of panels) {
    const bottom = top + summaries.length * row;
    parts.push(text(12, top - 12, title, 'font-weight="600"'));
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      parts.push(`<line x1="${x(tick)}" x2="${x(tick)}" y1="${top}" y2="${bottom}" stroke="#ddd"/>`);
      parts.push(text(x(tick), bottom + 14, String(tick), 'text-anchor="middle" fill="#666"'));
    }
    const constant = summaries[0]?.constant[key].mean ?? 0;
    parts.push(
      `<line x1="${x(constant)}" x2="${x(constant)}" y1="${top}" y2="${bottom}" stroke="#444" stroke-dasharray="3 3"/>`,
    );
    for (const [index, summary] of summaries.entries()) {
      const y = top + (index + 0.5) * row;
      if (index % 2 === 0)
        parts.unshift(`<rect x="0" y="${y - row / 2}" width="${left + plot + 40}" height="${row}" fill="#f6f6f4"/>`);
      parts.push(text(left - 12, y + 4, summary.title, 'text-anchor="end"'));
      for (const [place, [method, { mean, values }]] of Object.entries(summary[key]).entries()) {
        const at = y - 10 + place * 4;
        parts.push(`<rect x="${x(mean) - 2}" y="${at - 3.5}" width="4" height="7" fill="${colours[method]}"/>`);
        parts.push(
          ...values.map(
            (value) => `<circle cx="${x(value)}" cy="${at}" r="2" fill="${colours[method]}" fill-opacity=".45"/>`,
          ),
        );
      }
    }
    top = bottom + 64;
  }
  const legend = Object.entries(methods).map(([name, { title }], index) => {
    const start = 12 + index * 128;
    return `<rect x="${start}" y="14" width="10" height="10" fill="${colours[name]}"/>${text(start + 15, 23, title)}`;
  });
  const [width, height] = [left + plot + 40, top - 24];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12"><rect width="${width}" height="${height}" fill="#fff"/>${legend.join("")}${parts.join("")}</svg>\n`;
}

function x(value) {
  return Math.round((left + value * plot) * 10) / 10;
}

function text(at, y, content, more = "") {
  return `<text x="${at}" y="${y}" ${more}>${content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`;
}
