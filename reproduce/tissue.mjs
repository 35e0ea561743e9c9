// The tissue benchmark (docs/benchmark.md): three seeds, which decide the first weights, the order, and what is set aside to validate.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { networks } from "./networks.mjs";

const epochs = 10;
const images = { training: { count: 1200, seed: 1 }, judging: { count: 200, seed: 2 } };
const small = { width: 96, height: 96, evidence: [1, 2] };
const quickImages = { training: { count: 16, seed: 1, ...small }, judging: { count: 8, seed: 2, ...small } };

export const tissue = {
  name: "tissue",
  title: "The tissue benchmark",
  networks,
  repeats: "seeds",
  reports: [{ title: "Tissue: PxAP on one scale for all images", kind: "evidence", key: "pxap" }],
  async prepare({ folder, quick }) {
    const tables = {};
    // From the workspace's build; the set-up came before.
    const { writeTissueBenchmark } = await import(new URL("../packages/synthesis/dist/index.js", import.meta.url).href);
    for (const [part, settings] of Object.entries(quick ? quickImages : images)) {
      tables[part] = join(folder, part, "tissue.csv");
      if (!existsSync(tables[part])) await writeTissueBenchmark(join(folder, part), settings);
    }
    const options = ["--classes", "normal,granular", "--mpp", "0.5", "--epochs", String(epochs)];
    return [1, 2, 3].map((seed) => ({
      name: `seed-${seed}`,
      training: [tables.training, ...options, "--seed", String(seed)],
      judging: { evidence: [tables.judging] },
    }));
  },
};
