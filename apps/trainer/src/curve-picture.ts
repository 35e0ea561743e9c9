import { escape } from "./html-page.ts";

/** A line of a chart: a value for each epoch, from epoch 1. */
export interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

const width = 640;
const height = 260;
const margin = { left: 52, right: 132, top: 28, bottom: 34 };
const steps = 4;

/** A chart of curves over epochs, as SVG. `from` and `to` bound the vertical axis, where they are given. */
export function curvePicture(
  title: string,
  curves: readonly Curve[],
  bounds: { readonly from?: number; readonly to?: number; readonly marked?: number } = {},
): string {
  const values = curves.flatMap((curve) => curve.values);
  const low = bounds.from ?? Math.min(...values);
  const high = Math.max(bounds.to ?? Math.max(...values), low + 1e-9);
  const epochs = Math.max(...curves.map((curve) => curve.values.length));
  const x = (epoch: number): number =>
    margin.left + ((epoch - 1) / Math.max(1, epochs - 1)) * (width - margin.left - margin.right);
  const y = (value: number): number =>
    height - margin.bottom - ((value - low) / (high - low)) * (height - margin.top - margin.bottom);
  const at = (number: number): string => number.toFixed(1);
  const grid = Array.from({ length: steps + 1 }, (_, step) => {
    const value = low + ((high - low) * step) / steps;
    return `<line x1="${margin.left}" x2="${width - margin.right}" y1="${at(y(value))}" y2="${at(y(value))}" stroke="#ddd"/><text x="${margin.left - 6}" y="${at(y(value) + 4)}" text-anchor="end">${value.toPrecision(3)}</text>`;
  });
  const marked =
    bounds.marked === undefined
      ? ""
      : `<line x1="${at(x(bounds.marked))}" x2="${at(x(bounds.marked))}" y1="${margin.top}" y2="${height - margin.bottom}" stroke="#999" stroke-dasharray="3 3"/><text x="${at(x(bounds.marked))}" y="${margin.top - 4}" text-anchor="middle">best</text>`;
  const lines = curves.map(({ name, colour, values }, index) => {
    const points = values.map((value, epoch) => `${at(x(epoch + 1))},${at(y(value))}`).join(" ");
    // One epoch is a point, not a line.
    const dots =
      values.length > 1
        ? ""
        : values.map((value) => `<circle cx="${at(x(1))}" cy="${at(y(value))}" r="3" fill="${colour}"/>`).join("");
    const legend = margin.top + 14 + index * 18;
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}<rect x="${width - margin.right + 12}" y="${legend - 8}" width="12" height="4" fill="${colour}"/><text x="${width - margin.right + 30}" y="${legend - 2}">${escape(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif" font-size="12"><title>${escape(title)}</title><text x="${margin.left}" y="${margin.top - 12}" font-weight="600">${escape(title)}</text>${grid.join("")}${marked}${lines.join("")}<text x="${margin.left}" y="${height - 10}">epoch 1</text><text x="${width - margin.right}" y="${height - 10}" text-anchor="end">${epochs}</text></svg>`;
}
