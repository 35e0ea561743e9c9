import { expect, it } from "vitest";
import { alikeTileGrid, balancedTileGrid } from "../../geometry/tile-grid.ts";
import { encodeWorkPlan, parseWorkPlan } from "./work-plan.ts";
import type { WorkPlan } from "./work-plan.ts";

const image = { width: 5003, height: 3001 };
const stride = 16;

it.each([
  balancedTileGrid(image, { core: { width: 1024, height: 512 }, stride }),
  alikeTileGrid(image, { tile: 512, stride, halo: 100 }),
])("a plan is read as it was written: tiles of $core", (grid) => {
  const plan: WorkPlan = {
    runs: ["a", "b"],
    precision: "float16",
    grid,
    tissue: { block: { width: 1024, height: 1024 }, kept: [0, 2, 3] },
    sweeps: [
      {
        tiles: [2, 0, 3],
        shards: [
          { start: 0, end: 2 },
          { start: 2, end: 3 },
        ],
      },
    ],
  };
  expect(parseWorkPlan(encodeWorkPlan(plan), { uri: "plan.json", image })).toEqual(plan);
});

it("a plan of another form is refused: what to remove", () => {
  const bytes = new TextEncoder().encode('{"version":1}');
  expect(() => parseWorkPlan(bytes, { uri: "s3://b/plan.json", image })).toThrow(
    /Remove s3:\/\/b\/plan.json, and the image is begun anew/u,
  );
});
