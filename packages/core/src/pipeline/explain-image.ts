import type { Engine } from "../engine/engine.ts";
import type { ImageLimits } from "../format/image.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ObjectStore } from "../io/object-store.ts";
import type { Model } from "../model/model.ts";
import type { Observe } from "./events.ts";
import type { ExplanationResult, ExplanationSettings } from "./settings.ts";

/** What explaining an image needs besides the image; shared by all images of a process. */
export interface ExplanationResources {
  readonly engine: Engine;
  readonly model: Model;
  readonly output: ObjectStore;
  /** Folder for scratch files; each run makes and removes its own folder inside. */
  readonly scratch: string;
  readonly limits?: ImageLimits;
  /** Bytes that tiles, read ahead and in work, may take; the tile size follows from it. */
  readonly memoryBytes?: number;
  readonly observe?: Observe;
}

/** An image and the key under which its outputs go. */
export interface ImageReference {
  /** A path or `s3://bucket/key`. */
  readonly uri: string;
  readonly key: string;
}

/** One result for each method and target, in that order. */
export declare function explainImage(
  image: ImageReference,
  settings: ExplanationSettings,
  resources: ExplanationResources,
  options?: Abortable,
): Promise<readonly ExplanationResult[]>;
