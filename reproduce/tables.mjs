// Tables of `docs/evidence.md`.
import { families, methods, rivals } from "./summary.mjs";

const two = (value) => value.toFixed(2);
const withSpread = ({ mean, deviation }) => (Number.isNaN(deviation) ? two(mean) : `${two(mean)} ± ${two(deviation)}`);

/** What is written of a study: for each of its reports the best of both kinds of networks in words, and a table. */
export function tables(study, reports) {
  const [{ summaries }] = reports;
  const repeats = summaries[0]?.repeats ?? 0;
  const parts = reports.map(({ title, key, summaries: scored }) => {
    return `**${title}**\n\n${verdict(scored, key)}\n\n${scoreTable(scored, key)}`;
  });
  const over =
    repeats === 1 ? `One of the ${study.repeats}` : `Mean ± standard deviation over ${repeats} ${study.repeats}`;
  return `${over}.\n\n${parts.join("\n\n")}`;
}

/** The picture of maps, with what its columns are. */
export function pictureText(file, { columns, study, repeat }) {
  const told = columns.map(({ title, method }) => `${methods[method].title} of ${title}`);
  return `![Maps of ${study.title}](${file})\n\nFrom left to right: image, mask, ${told.join("; ")} (${repeat}).`;
}

/** PxAP of every network and method, the best of each row in bold. */
function scoreTable(summaries, key) {
  const names = Object.keys(methods);
  const head = ["network", "accuracy", ...names.map((name) => methods[name].title)];
  const rows = summaries.map((summary) => {
    const most = Math.max(...Object.values(summary[key]).map(({ mean }) => mean));
    const cells = names.map((name) => {
      const score = summary[key][name];
      if (score === undefined) return "";
      return score.mean === most ? `**${withSpread(score)}**` : withSpread(score);
    });
    return [summary.title, withSpread(summary.accuracy), ...cells];
  });
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The best of each kind of networks, in words, and by how much the U-Net is ahead. */
function verdict(summaries, key) {
  const line = (what, methodFamily) => {
    const { unet, ...others } = rivals(summaries, key, methodFamily);
    const told = (family, { title, method, ...score }) => {
      const ratio =
        unet === undefined || family === "unet" ? "" : `, U-Net over it ${(unet.mean / score.mean).toFixed(2)}`;
      return `${families[family]} ${withSpread(score)} (${methods[method].title} of *${title}*${ratio})`;
    };
    const found = Object.entries(unet === undefined ? others : { unet, ...others });
    return `- ${what}: ${found.map(([family, score]) => told(family, score)).join("; ")}.`;
  };
  const [{ constant }] = summaries;
  return [
    line("Best map of features (CAM and its relatives)", "features"),
    line("Best map of any method", undefined),
    `- A constant map: ${constant[key].mean.toFixed(3)}.`,
  ].join("\n");
}
