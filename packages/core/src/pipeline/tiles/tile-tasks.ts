import type { Sweep, SweepPlan } from "../../explain/explanation.ts";
import { ownershipByPlace } from "../../explain/owned-cells.ts";
import type { Ownership } from "../../explain/owned-cells.ts";
import { restrictionOf } from "../../explain/restrict-sweep.ts";
import { sweepRegions } from "../../explain/tile-program.ts";
import type { Rectangle, Region } from "../../geometry/rectangle.ts";
import { rectangleOf, regionOf } from "../../geometry/rectangle.ts";
import { coreOf, windowOf } from "../../geometry/tile-grid.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import type { RestrictionPlan } from "../../graph/restrict.ts";
import type { TissueMask } from "./tissue.ts";

/** A tile of one sweep, before anything of it is read or computed. */
export interface TileTask {
  readonly tile: number;
  readonly core: Rectangle;
  /** What is computed: the core at least. */
  readonly window: Rectangle;
  /** Where it computes more than is kept of its core. */
  readonly ownership: Ownership | undefined;
  /** What it computes, and its masked or unmasked form. */
  readonly sweep: Sweep;
  readonly regions: Readonly<Record<string, Region>>;
  readonly plan: RestrictionPlan;
  /** Equal for tiles that one program serves. */
  readonly kind: string;
}

/** Where a sweep's tiles lie, and which of them are kept. */
export interface TiledSweep {
  readonly plan: SweepPlan;
  readonly index: number;
  readonly grid: TileGrid;
  readonly tissue: TissueMask;
}

/** Plans these tiles, in this order. */
export function planTasks({ plan, index, grid, tissue }: TiledSweep, tiles: readonly number[]): readonly TileTask[] {
  const masked = at(plan.sweeps, index);
  const unmasked = plan.unmasked === undefined ? undefined : at(plan.unmasked, index);
  return tiles.map((tile) => {
    const [core, window] = [coreOf(grid, tile), windowOf(grid, tile)];
    const planned = (sweep: Sweep): Pick<TileTask, "sweep" | "regions" | "plan"> => {
      const regions = sweepRegions(sweep, regionOf(window));
      return { sweep, regions, plan: restrictionOf(sweep).plan(regions) };
    };
    const first = planned(masked);
    const seesKept = (): boolean =>
      tissue.keeps(core, [1, 1]) &&
      Object.entries(first.plan.inputRegions).every(
        ([name, region]) =>
          name === plan.network.image.name || tissue.keeps(rectangleOf(region), strideOfKept(plan, name)),
      );
    const isMasked = unmasked === undefined || !seesKept();
    const chosen = isMasked ? first : planned(unmasked);
    const ownership = ownershipOf({ grid, tissue }, tile, { isMasked, stride: plan.network.stride });
    const owned = ownership?.kind === "rows-and-columns" ? ownership.foreignPixels : (ownership?.kind ?? "all");
    const kind = [isMasked ? "masked" : "unmasked", owned, chosen.plan.key].join("/");
    return { tile, core, window, ownership, ...chosen, kind };
  });
}

/** Tiles that see what is left out tell their own cells one by one, so that they are of one kind, whether it lies in their core or beside it. */
function ownershipOf(
  { grid, tissue }: Pick<TiledSweep, "grid" | "tissue">,
  tile: number,
  { isMasked, stride }: { readonly isMasked: boolean; readonly stride: number },
): Ownership | undefined {
  if (isMasked && !tissue.complete) return { kind: "one-by-one" };
  return ownershipByPlace(grid, tile, { stride });
}

/** The stride of the cells that the Input of this name masks. */
export function strideOfKept(plan: SweepPlan, name: string): readonly [number, number] {
  return at(plan.network.pools, Number(name.slice("kept.".length))).stride;
}

/**
 * The kept tiles in the order in which a sweep should visit them: those of one kind one after the other, so that a program's
 * memory is touched once, however many programs there are, and given back before the next one's. In the order of first
 * appearance, which the grid alone decides.
 */
export function tileOrder(sweep: TiledSweep): readonly number[] {
  const kinds = kindsOf(planTasks(sweep, sweep.tissue.tiles));
  return [...kinds.values()].flat().map(({ tile }) => tile);
}

/** The kind that most of these tiles are of. */
export function mostFrequentKind(tasks: readonly TileTask[]): string | undefined {
  const [frequent] = [...kindsOf(tasks)].sort(([, a], [, b]) => b.length - a.length);
  return frequent?.[0];
}

function kindsOf(tasks: readonly TileTask[]): ReadonlyMap<string, readonly TileTask[]> {
  const kinds = new Map<string, TileTask[]>();
  for (const task of tasks) {
    const kind = kinds.get(task.kind) ?? [];
    kinds.set(task.kind, kind);
    kind.push(task);
  }
  return kinds;
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`Index ${index} is outside of ${items.length} items.`);
  return item;
}
