// npm run tissue -- <folder>: writes the tissue benchmark, images with true masks. docs/benchmark.md says what is in it.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { call, checkNode, installDependencies, main, root, say } from "./setup.mjs";

const usage = `npm run tissue -- <folder> [options]
  --count <n>            how many images (2000)
  --seed <n>             everything follows from it (1)
  --size <n | WxH>       pixels of an image (128)
  --classes <2..4>       normal, granular, banded, ringed (2)
  --evidence <n | n-m>   nuclei that tell the class, in an image that has any (1-4)
  --mpp <x>              microns per pixel (0.5)
  --density <0..1>       share of the cells that are there (1)`;

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: "string", default: "2000" },
      seed: { type: "string", default: "1" },
      size: { type: "string", default: "128" },
      classes: { type: "string", default: "2" },
      evidence: { type: "string", default: "1-4" },
      mpp: { type: "string", default: "0.5" },
      density: { type: "string", default: "1" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [folder] = positionals;
  if (values.help || folder === undefined || positionals.length > 1) {
    process.stderr.write(`${usage}\n`);
    return values.help ? 0 : 2;
  }
  const [width, height = width] = integers("size", values.size, "x");
  const [fewest, most = fewest] = integers("evidence", values.evidence, "-");
  const [count] = integers("count", values.count);
  const [seed] = integers("seed", values.seed);
  const [classes] = integers("classes", values.classes);

  checkNode();
  installDependencies();
  call(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "packages/synthesis"]);
  const { writeTissueBenchmark } = await import(new URL("../packages/synthesis/dist/index.js", import.meta.url).href);
  const start = performance.now();
  await writeTissueBenchmark(folder, {
    seed,
    count,
    width,
    height,
    classes,
    evidence: [fewest, most],
    micronsPerPixel: Number(values.mpp),
    cellDensity: Number(values.density),
    onImage: (written) => {
      if (written % 500 === 0 && written < count) say(`${written} of ${count} images`);
    },
  });
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`${join(folder, "tissue.csv")}: ${count} images in ${seconds.toFixed(1)} s\n`);
  return 0;
});

function integers(name, text, separator = " ") {
  const numbers = text.split(separator).map(Number);
  if (numbers.length <= 2 && numbers.every((n) => Number.isInteger(n) && n >= 0)) return numbers;
  throw new Error(`--${name} ${text}: a whole number was expected.\n${usage}`);
}
