import { hostname } from "node:os";
import type { Manifest } from "../format/output/manifest.ts";
import type { WorkMaker } from "./shards/work-maker.ts";
import { versions } from "./versions.ts";
import { micronsPerPixelOf } from "./write-results.ts";
import type { FinishedRun } from "./write-results.ts";

export interface Provenance {
  readonly outputs: Manifest["outputs"];
  readonly startedAt: Date;
  readonly seconds: Readonly<Record<string, number>>;
  /** Of the tiles. */
  readonly maker: WorkMaker;
}

/** What a run's manifest says. */
export function manifestOf(run: FinishedRun, { outputs, startedAt, seconds, maker }: Provenance): Manifest {
  const { image, slide, level, resources, network, outcome, grid, tissue, scale, settings, unreadable } = run;
  const { model } = resources;
  const micronsPerPixel = micronsPerPixelOf(slide, level);
  return {
    schemaVersion: 1,
    runId: run.id,
    image: {
      source: image.uri,
      width: level.width,
      height: level.height,
      level: level.index,
      ...(micronsPerPixel === undefined ? {} : { micronsPerPixel }),
      etag: slide.etag,
      bytes: slide.size,
    },
    model: {
      sha256: model.sha256,
      ...(model.description === undefined ? {} : { description: model.description }),
      mean: [...run.mean],
      std: [...run.std],
    },
    method: run.method,
    target: outcome.target.label,
    layer: run.explanation.layer,
    exact: true,
    exactReasons: [
      "every value of the body depends on a window around it, which each tile holds",
      ...(tissue.complete ? [] : ["pooled over the parts of the image that show tissue"]),
      ...(unreadable.length === 0 ? [] : ["parts of the image that could not be read are white (see unreadable)"]),
    ],
    classes: run.classes.map((name, index) => ({
      name,
      logit: outcome.logits[index] ?? 0,
      probability: outcome.probabilities[index] ?? 0,
    })),
    scale,
    statistics: { pooled: outcome.pooled.map((vector) => [...vector]), sweeps: run.explanation.sweeps.length },
    tiles: {
      width: grid.core.width,
      height: grid.core.height,
      columns: grid.columns,
      rows: grid.rows,
      kept: tissue.tiles.length,
      stride: network.stride,
      ...(grid.window?.size === undefined ? {} : { window: grid.window.size }),
    },
    tissue: settings.tissue,
    precision: run.precision,
    ...(unreadable.length === 0
      ? {}
      : { unreadable: unreadable.map(({ rectangle, code }) => ({ ...rectangle, code })) }),
    outputs,
    provenance: {
      startedAt: startedAt.toISOString(),
      seconds,
      host: hostname(),
      engine: `${maker.name} ${maker.version} (${maker.provider})`,
      versions: versions(),
    },
  };
}
