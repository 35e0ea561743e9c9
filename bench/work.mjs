import { planExplanation } from "../packages/core/dist/explain/plan.js";
import { sweepOutputs, sweepRegions } from "../packages/core/dist/explain/tile-program.js";
import { regionOf } from "../packages/core/dist/geometry/rectangle.js";
import { coreOf, tileCount, tileGrid } from "../packages/core/dist/geometry/tile-grid.js";
import { flops } from "../packages/core/dist/graph/flops.js";
import { prepareRestriction } from "../packages/core/dist/graph/restrict.js";
import { networkFor } from "../packages/core/dist/model/network.js";
import { printTable } from "./measure.mjs";
import { model } from "./subjects.mjs";

const sides = [256, 512, 1024, 2048, 4096];
const methods = ["grad-cam", "saliency"];
/** Large enough that some tile of every size lies away from the borders. */
const image = { width: 16384, height: 16384 };

/**
 * Redundant work of tiling: floating-point operations of the tiles' programs over those of the image in one piece (of a
 * core's share of it, for one tile). Beside it what whole-tile halos would cost.
 */
export function benchWork() {
  const network = networkFor(model, image, { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] });
  const rows = methods.flatMap((method) => {
    const explanation = planExplanation(network, {
      method,
      target: { kind: "class", index: 1 },
      classes: ["normal", "tumour"],
    });
    return explanation.sweeps.flatMap((sweep, index) => {
      const restriction = prepareRestriction(sweepOutputs(sweep));
      const planned = (region) => restriction.plan(sweepRegions(sweep, region));
      const whole = flops(planned(regionOf({ x: 0, y: 0, ...image })).build());
      const known = new Map();
      const costOf = (grid, tile) => {
        const plan = planned(regionOf(coreOf(grid, tile)));
        if (!known.has(plan.key)) known.set(plan.key, flops(plan.build()));
        return known.get(plan.key);
      };
      return sides.map((side) => {
        known.clear();
        const grid = tileGrid(image, { tile: side, stride: network.stride });
        const middle = Math.floor(grid.rows / 2) * grid.columns + Math.floor(grid.columns / 2);
        const core = coreOf(grid, middle);
        const share = (core.width * core.height) / (image.width * image.height);
        const pixels = planned(regionOf(core)).inputRegions[network.image.name];
        let total = 0;
        for (let tile = 0; tile < tileCount(grid); tile += 1) total += costOf(grid, tile);
        const halo = pixels === undefined ? 0 : core.x - pixels.x.start;
        return {
          method,
          sweep: index + 1,
          tile: side,
          "halo px": halo,
          "inner tile": costOf(grid, middle) / (whole * share),
          "16384 px image": total / whole,
          "with plain halos": ((side + 2 * halo) / side) ** 2,
        };
      });
    });
  });
  printTable("Redundant work: FLOP computed / FLOP of the image in one piece", rows);
  return { image, rows };
}
