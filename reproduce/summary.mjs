// What trials have in common: means and spreads over repeats, and which map of a network is best.

/** Methods by what they explain: features, interpolated to pixels where they are coarser, or pixels themselves. */
export const methods = {
  cam: { title: "CAM", family: "features" },
  "grad-cam": { title: "Grad-CAM", family: "features" },
  "hires-cam": { title: "HiResCAM", family: "features" },
  "layer-cam": { title: "Layer-CAM", family: "features" },
  saliency: { title: "saliency", family: "pixels" },
  "input-x-gradient": { title: "input x gradient", family: "pixels" },
};

/** Mean and sample standard deviation; values that were not measured (null) are left out. */
export function spread(values) {
  const known = values.filter((value) => typeof value === "number");
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: known.length > 1 ? Math.sqrt(squares / (known.length - 1)) : Number.NaN, values: known };
}

/** A network's scores over its repeats, `documents` being what `evaluate --json` printed for each. */
export function summarise(network, documents) {
  const scores = (key) =>
    Object.fromEntries(
      Object.keys(methods).flatMap((name) => {
        const found = documents.flatMap((document) => document.methods.filter(({ method }) => method === name));
        return found.length === 0 ? [] : [[name, spread(found.map((method) => method[key]))]];
      }),
    );
  return {
    ...network,
    repeats: documents.length,
    accuracy: spread(documents.map(({ accuracy }) => accuracy)),
    constant: {
      pxap: spread(documents.map(({ constantMap }) => constantMap.pxap)),
      pxapImage: spread(documents.map(({ constantMap }) => constantMap.pxapImage)),
    },
    pxap: scores("pxap"),
    pxapImage: scores("pxapImage"),
    pointingGame: scores("pointingGame"),
  };
}

/** The method with the highest mean, of one family or of all. */
function best(summary, key, family) {
  return Object.entries(summary[key])
    .filter(([name]) => family === undefined || methods[name].family === family)
    .map(([method, score]) => ({ network: summary.name, title: summary.title, method, ...score }))
    .reduce((a, b) => (b.mean > a.mean ? b : a));
}

/** Kinds of networks, as `networks.mjs` has them. */
export const families = {
  unet: "U-Net",
  cnn: "ordinary CNN",
  "helped-cnn": "CNN with the U-Net's pool",
};

/** The best map of the best network of each kind, by methods of one family or of any; kinds that were not trained are left out. */
export function rivals(summaries, key, methodFamily) {
  return Object.fromEntries(
    Object.keys(families).flatMap((family) => {
      const own = summaries.filter((summary) => summary.family === family);
      if (own.length === 0) return [];
      return [
        [family, own.map((summary) => best(summary, key, methodFamily)).reduce((a, b) => (b.mean > a.mean ? b : a))],
      ];
    }),
  );
}
