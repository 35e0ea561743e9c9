// The networks that are compared: the same encoder in all, with what `slidelight train` is told to make each.

const encoder = (depth) => ["--network", "encoder", "--depth", String(depth)];
const asLabelsLeaveThem = ["--equivariance", "off"];

/** The encoder alone, pooled at stride 2^depth; as ordinary classifiers are, its maps are asked for nothing. */
const classifiers = [
  { name: "cnn-8", title: "CNN, stride 8, mean", options: [...encoder(3), "--pool", "mean", ...asLabelsLeaveThem] },
  { name: "cnn-16", title: "CNN, stride 16, mean", options: [...encoder(4), "--pool", "mean", ...asLabelsLeaveThem] },
  { name: "cnn-32", title: "CNN, stride 32, mean", options: [...encoder(5), "--pool", "mean", ...asLabelsLeaveThem] },
];

/** Not ordinary: what makes the U-Net's maps, the rival may have too. */
const helpedClassifiers = [
  {
    name: "cnn-8-generalised-mean",
    title: "CNN, stride 8, generalised mean, p learnt",
    options: [...encoder(3), "--pool", "generalised-mean", ...asLabelsLeaveThem],
  },
  {
    name: "cnn-8-generalised-mean-equivariance",
    title: "CNN, stride 8, generalised mean, p learnt, quarter turns",
    options: [...encoder(3), "--pool", "generalised-mean", "--equivariance", "0.3"],
  },
];

const pools = [
  { name: "mean", title: "mean", options: ["--pool", "mean"] },
  { name: "max", title: "max", options: ["--pool", "max"] },
  {
    name: "log-sum-exp",
    title: "log-sum-exp of scores, r = 4",
    options: ["--pool", "log-sum-exp:4", "--pooled", "scores"],
  },
  { name: "generalised-mean-3", title: "generalised mean, p = 3", options: ["--pool", "generalised-mean:3"] },
  { name: "generalised-mean", title: "generalised mean, p learnt", options: ["--pool", "generalised-mean"] },
];

/** Each pool with and without the loss on the encoder, all with the loss on quarter turns; and the defaults without that. */
const unets = [
  ...pools.flatMap(({ name, title, options }) => [
    {
      name: `unet-${name}-encoder-loss`,
      title: `U-Net, ${title}, quarter turns, encoder loss`,
      options: [...options, "--encoder-loss", "1", "--equivariance", "0.3"],
    },
    {
      name: `unet-${name}`,
      title: `U-Net, ${title}, quarter turns`,
      options: [...options, "--encoder-loss", "off", "--equivariance", "0.3"],
    },
  ]),
  {
    name: "unet-generalised-mean-encoder-loss-only",
    title: "U-Net, generalised mean, p learnt, encoder loss",
    options: ["--pool", "generalised-mean", "--encoder-loss", "1", ...asLabelsLeaveThem],
  },
  {
    name: "unet-mean-only",
    title: "U-Net, mean",
    options: ["--pool", "mean", "--encoder-loss", "off", ...asLabelsLeaveThem],
  },
];

const asByDefault = unets.find(({ name }) => name === "unet-generalised-mean-encoder-loss");

/** One change each to the U-Net with a learnt p and both losses: where images are few, so that there is time for it. */
export const changes = Object.entries({
  consistency: ["--consistency", "3"],
  entropy: ["--entropy", "0.1"],
  "8 epochs": ["--epochs", "8"],
  "50 epochs": ["--epochs", "50"],
}).map(([change, options]) => ({
  name: `unet-${change.replace(" ", "-")}`,
  title: `${asByDefault.title}, ${change}`,
  options: [...asByDefault.options, ...options],
  family: "unet",
}));

/** In the order of the tables. */
export const networks = [
  ...classifiers.map((network) => ({ ...network, family: "cnn" })),
  ...helpedClassifiers.map((network) => ({ ...network, family: "helped-cnn" })),
  ...unets.map((network) => ({ ...network, family: "unet" })),
];
