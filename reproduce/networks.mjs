// The networks that are compared: the same encoder in all, with what `slidelight train` is told to make each.

const encoder = (depth) => ["--network", "encoder", "--depth", String(depth)];

/** Ordinary classifiers: the encoder alone, pooled at stride 2^depth. */
const classifiers = [
  { name: "cnn-8", title: "CNN, stride 8, mean", options: [...encoder(3), "--pool", "mean"] },
  { name: "cnn-16", title: "CNN, stride 16, mean", options: [...encoder(4), "--pool", "mean"] },
  { name: "cnn-32", title: "CNN, stride 32, mean", options: [...encoder(5), "--pool", "mean"] },
  // Not ordinary, but what the U-Net gains by its pool, the rival may have too.
  {
    name: "cnn-8-generalised-mean",
    title: "CNN, stride 8, generalised mean, p learnt",
    options: [...encoder(3), "--pool", "generalised-mean"],
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

const unets = pools.flatMap(({ name, title, options }) => [
  { name: `unet-${name}`, title: `U-Net, ${title}`, options: [...options, "--encoder-loss", "off"] },
  {
    name: `unet-${name}-encoder-loss`,
    title: `U-Net, ${title}, encoder loss`,
    options: [...options, "--encoder-loss", "1"],
  },
]);

/** In the order of the tables. */
export const networks = [
  ...classifiers.map((network) => ({ ...network, family: "cnn" })),
  ...unets.map((network) => ({ ...network, family: "unet" })),
];
