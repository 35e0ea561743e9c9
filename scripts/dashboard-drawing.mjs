// Panels of a dashboard as SVG: what a Grafana shows of the same answers, without a Grafana.
const column = 66;
const line = 30;
const gap = 6;
const colours = [
  "#3274d9",
  "#e0752d",
  "#299c46",
  "#a352cc",
  "#c4162a",
  "#e5ac0e",
  "#14a3a3",
  "#8f3bb8",
  "#7b8794",
  "#6d4c41",
];
const named = { green: "#299c46", yellow: "#b8860b", red: "#c4162a", blue: "#3274d9", transparent: "#1f2933" };
const text = { title: "#1f2933", faint: "#616e7c", grid: "#e4e7eb", frame: "#cbd2d9" };

/** @param panels each with `data`: of a series panel [{ name, points: [[seconds, value]] }], of a stat a value, of a table rows */
export function drawDashboard(panels, { title, from, to }) {
  const rows = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
  const width = 24 * column;
  const height = rows * line + 2 * line;
  const drawn = panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos;
    const box = { x: x * column + gap / 2, y: (y + 1.6) * line, width: w * column - gap, height: h * line - gap };
    return drawPanel(panel, { box, from, to });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans, sans-serif">
<rect width="100%" height="100%" fill="#f5f7fa"/>${label(title, { x: 10, y: 28, size: 20, fill: text.title })}${drawn.join("\n")}</svg>`;
}

function drawPanel(panel, { box, from, to }) {
  if (panel.type === "row") return label(panel.title, { x: box.x + 6, y: box.y + 19, size: 15, fill: text.title });
  const frame = `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="3" fill="#fff" stroke="${text.frame}"/>`;
  const title = label(panel.title, { x: box.x + 8, y: box.y + 18, size: 12.5, fill: text.title });
  const inner = { x: box.x + 8, y: box.y + 26, width: box.width - 16, height: box.height - 34 };
  const body = { stat: drawStat, table: drawTable, timeseries: drawSeries }[panel.type](panel, {
    box: inner,
    from,
    to,
  });
  return frame + title + body;
}

function drawStat({ data, fieldConfig: { defaults } }, { box }) {
  const steps = defaults.thresholds.steps.filter(({ value }) => value === null || (data ?? 0) >= value);
  const shown = data === undefined ? (defaults.noValue ?? "No data") : withUnit(data, defaults);
  return label(shown, { x: box.x, y: box.y + 46, size: 30, fill: named[steps.at(-1).color] });
}

function drawTable({ data, fieldConfig: { overrides } }, { box }) {
  const [first] = data;
  if (first === undefined) return label("No data", { x: box.x, y: box.y + 20, size: 12, fill: text.faint });
  const names = Object.keys(first);
  const unitOf = (name) => overrides.find(({ matcher }) => matcher.options === name)?.properties[0].value;
  const cells = [
    names,
    ...data.map((row) =>
      names.map((name) =>
        typeof row[name] === "number" ? withUnit(row[name], { unit: unitOf(name) }) : (row[name] ?? ""),
      ),
    ),
  ];
  const widths = names.map((_, index) => Math.max(...cells.map((row) => String(row[index]).length)) + 2);
  const scale = box.width / widths.reduce((sum, width) => sum + width, 0);
  return cells
    .flatMap((row, at) => {
      let x = box.x;
      return row.map((cell, index) => {
        const drawn = label(cell, { x, y: box.y + 16 + at * 20, size: 11, fill: at === 0 ? text.faint : text.title });
        x += widths[index] * Math.min(scale, 8);
        return drawn;
      });
    })
    .join("");
}

function drawSeries({ data, fieldConfig: { defaults } }, { box, from, to }) {
  const { custom } = defaults;
  const stacked = custom.stacking.mode === "normal";
  const legend = legendOf(data, box);
  const plot = { x: box.x + 62, y: box.y + 4, width: box.width - 66, height: box.height - 26 - legend.height };
  const layers = stacked ? stack(data) : data.map(({ points }) => points.map(([time, value]) => [time, 0, value]));
  const largest = Math.max(
    0,
    ...layers
      .flat()
      .map(([, , value]) => value)
      .filter(Number.isFinite),
  );
  const limits = defaults.thresholds.steps
    .filter(({ value }) => value !== null && value <= 1.5 * largest)
    .map(({ value }) => value);
  const top = defaults.max ?? niceTop(Math.max(largest, ...limits), defaults);
  const xOf = (time) => round(plot.x + ((time - from) / (to - from)) * plot.width);
  const yOf = (value) => round(plot.y + plot.height * (1 - Math.min(value, top) / top));
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = yOf(share * top);
    const value = label(withUnit(share * top, defaults), {
      x: plot.x - 6,
      y: y + 4,
      size: 10,
      fill: text.faint,
      anchor: "end",
    });
    return `<path d="M${plot.x} ${y}H${plot.x + plot.width}" stroke="${text.grid}"/>${value}`;
  });
  const times = [0.02, 0.34, 0.66, 0.98].map((share) => {
    const time = from + share * (to - from);
    return label(new Date(time * 1000).toISOString().slice(11, 16), {
      x: xOf(time),
      y: plot.y + plot.height + 15,
      size: 10,
      fill: text.faint,
      anchor: "middle",
    });
  });
  const drawn = layers.map((points, index) => {
    const colour = colours[index % colours.length];
    const known = points.filter(([, , value]) => Number.isFinite(value));
    if (known.length === 0) return "";
    const upper = known.map(([time, , value]) => `${xOf(time)} ${yOf(value)}`);
    const lower = known.toReversed().map(([time, base]) => `${xOf(time)} ${yOf(base)}`);
    const area =
      custom.fillOpacity > 0
        ? `<path d="M${[...upper, ...lower].join("L")}Z" fill="${colour}" fill-opacity="${custom.fillOpacity / 100}"/>`
        : "";
    return `${area}<path d="M${upper.join("L")}" fill="none" stroke="${colour}" stroke-width="${1.4 * custom.lineWidth}"/>`;
  });
  const marks = limits.map(
    (value) =>
      `<path d="M${plot.x} ${yOf(value)}H${plot.x + plot.width}" stroke="${named.red}" stroke-dasharray="6 4"/>`,
  );
  return [...grid, ...times, ...drawn, ...marks, legend.drawn].join("");
}

/** Names below the plot, as many to a line as fit. */
function legendOf(data, box) {
  const placed = [];
  let x = 0;
  let lines = 0;
  for (const [index, { name }] of data.entries()) {
    const width = 22 + name.length * 6.4;
    if (x > 0 && x + width > box.width) [x, lines] = [0, lines + 1];
    placed.push({ name, x, lines, colour: colours[index % colours.length] });
    x += width;
  }
  const height = (lines + 1) * 15;
  const y = box.y + box.height - height + 10;
  const drawn = placed.map((one) => {
    const at = { x: box.x + one.x, y: y + one.lines * 15 };
    return `<rect x="${at.x}" y="${at.y - 4}" width="12" height="3" fill="${one.colour}"/>${label(one.name, { x: at.x + 16, y: at.y + 2, size: 10.5, fill: text.title })}`;
  });
  if (data.length === 0) drawn.push(label("No data", { x: box.x, y, size: 11, fill: text.faint }));
  return { height, drawn: drawn.join("") };
}

/** Each series on top of those before it, as [time, from, to]. */
function stack(data) {
  const bases = new Map();
  return data.map(({ points }) =>
    points.map(([time, value]) => {
      const base = bases.get(time) ?? 0;
      bases.set(time, base + (Number.isFinite(value) ? value : 0));
      return [time, base, base + value];
    }),
  );
}

/** A top whose quarters are round too. */
function niceTop(largest, { unit, decimals }) {
  if (unit === "s" && largest > 4) {
    const tops = [8, 20, 40, 60, 120, 240, 480, 1200, 2400, 3600, 14_400, 28_800, 86_400, 172_800];
    return tops.find((top) => top >= largest) ?? 4 * 86_400 * Math.ceil(largest / (4 * 86_400));
  }
  if (largest <= 0) return decimals === 0 ? 4 : 1;
  const base = unit === "bytes" || unit === "Bps" ? 1024 ** Math.floor(Math.log(largest) / Math.log(1024)) : 1;
  const power = 10 ** Math.floor(Math.log10(largest / base));
  const top = base * power * ([1, 2, 4, 6, 8, 10].find((step) => step * power * base >= largest) ?? 10);
  return decimals === 0 ? 4 * Math.ceil(top / 4) : top;
}

function withUnit(value, { unit = "short", decimals }) {
  if (!Number.isFinite(value)) return "–";
  if (unit === "percentunit") return `${(100 * value).toFixed(0)} %`;
  if (unit === "s") return seconds(value);
  if (unit === "bytes" || unit === "Bps") return `${bytes(value)}${unit === "Bps" ? "/s" : ""}`;
  const number =
    decimals === undefined || value >= 100
      ? String(Number(value.toPrecision(3)))
      : String(Number(value.toFixed(decimals)));
  if (unit.startsWith("suffix:")) return `${number} ${unit.slice(7).trim()}`;
  return unit === "reqps" ? `${number}/s` : number;
}

function seconds(value) {
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
    ["ms", 0.001],
  ];
  const [name, size] = units.find(([, size]) => value >= size) ?? ["s", 1];
  return `${Number((value / size).toPrecision(2))} ${name}`;
}

function bytes(value) {
  const power = value < 1 ? 0 : Math.min(4, Math.floor(Math.log(value) / Math.log(1024)));
  return `${Number((value / 1024 ** power).toPrecision(3))} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function label(content, { x, y, size, fill, anchor = "start" }) {
  const escaped = String(content).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}">${escaped}</text>`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
