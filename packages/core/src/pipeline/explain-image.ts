import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../engine/engine.ts";
import { classNames } from "../explain/classes.ts";
import type { Explanation, StatisticTable } from "../explain/explanation.ts";
import type { MethodName } from "../explain/methods/index.ts";
import { planExplanation } from "../explain/plan.ts";
import { parseTarget } from "../explain/target.ts";
import type { Target } from "../explain/target.ts";
import type { ImageLimits } from "../format/image.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ObjectStore } from "../io/object-store.ts";
import type { Model } from "../model/model.ts";
import { chooseTileGrid } from "./choose-tile.ts";
import type { Observe } from "./events.ts";
import { openProgramCache } from "./program-cache.ts";
import type { ProgramCache } from "./program-cache.ts";
import type { ExplanationResult, ExplanationSettings } from "./settings.ts";

/** What explaining an image needs besides the image; shared by all images of a process. */
export interface ExplanationResources {
  readonly engine: Engine;
  /** Compiled programs, when they should outlive one image; one of the same engine. */
  readonly programs?: ProgramCache;
  readonly model: Model;
  readonly output: ObjectStore;
  /** Folder for scratch files; each run makes and removes its own folder inside. */
  readonly scratch: string;
  readonly limits?: ImageLimits;
  /** Bytes that one tile may take in the engine; the tile size follows from it. */
  readonly memoryBytes?: number;
  readonly observe?: Observe;
}
