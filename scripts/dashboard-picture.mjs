// node scripts/dashboard-picture.mjs <address of a Prometheus> <file.png> [minutes]
// Draws deploy/grafana/slidelight.json from what a Prometheus answers to its queries, where there is no Grafana.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { drawDashboard } from "./dashboard-drawing.mjs";
import { main, root } from "./setup.mjs";

const points = 180;

await main(async () => {
  const [address, file, minutes = "15"] = process.argv.slice(2);
  if (address === undefined || file === undefined) {
    throw new Error(
      "Expected the address of a Prometheus and a file: http://127.0.0.1:9090 docs/dashboard.png [minutes].",
    );
  }
  const dashboard = JSON.parse(readFileSync(join(root, "deploy/grafana/slidelight.json"), "utf8"));
  const to = Math.floor(Date.now() / 1000);
  const from = to - 60 * Number(minutes);
  const step = (to - from) / points;
  const price = dashboard.templating.list.find(({ name }) => name === "price").query;
  const values = { namespace: ".*", job: ".*", class: ".*", price, __rate_interval: "1m", __range: `${to - from}s` };
  const filled = (expr) => expr.replaceAll(/\$(\w+)/g, (all, name) => values[name] ?? all);
  const ask = async (path, parameters) => {
    const answer = await (await fetch(`${address}/api/v1/${path}?${new URLSearchParams(parameters)}`)).json();
    if (answer.status !== "success") throw new Error(`${parameters.query}: ${answer.error}`);
    return answer.data.result;
  };
  const now = (expr) => ask("query", { query: filled(expr), time: to });
  const dataOf = {
    row: () => undefined,
    stat: async ({ targets: [{ expr }] }) => (await now(expr)).map(({ value }) => Number(value[1]))[0],
    table: async ({ targets, transformations }) => {
      const { renameByName } = transformations.find(({ id }) => id === "organize").options;
      return merged(await Promise.all(targets.map(({ expr }) => now(expr))), renameByName);
    },
    timeseries: async ({ targets }) => {
      const answers = await Promise.all(
        targets.map(async ({ expr, legendFormat }) => {
          const result = await ask("query_range", { query: filled(expr), start: from, end: to, step });
          return result.map((series) => ({
            name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => series.metric[label] ?? "").trim(),
            points: series.values.map(([time, value]) => [time, Number(value)]),
          }));
        }),
      );
      return answers.flat();
    },
  };
  const panels = await Promise.all(
    dashboard.panels.map(async (panel) => ({ ...panel, data: await dataOf[panel.type](panel) })),
  );
  const svg = drawDashboard(panels, { title: dashboard.title, from, to });
  await sharp(Buffer.from(svg)).png({ palette: true, colours: 64, effort: 10 }).toFile(file);
  return 0;
});

/** One row for each set of labels, with the value of each query, as Grafana merges tables. */
function merged(answers, names) {
  const rows = new Map();
  for (const [index, answer] of answers.entries()) {
    for (const { metric, value } of answer) {
      const key = JSON.stringify(Object.keys(metric).map((name) => [name, metric[name]]));
      const column = `Value #${String.fromCharCode(65 + index)}`;
      rows.set(key, { ...(rows.get(key) ?? metric), [names[column] ?? column]: Number(value[1]) });
    }
  }
  const columns = [...new Set([...rows.values()].flatMap((row) => Object.keys(row)))];
  return [...rows.values()].map((row) => Object.fromEntries(columns.map((name) => [name, row[name]])));
}
