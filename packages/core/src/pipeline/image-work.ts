import type { Engine } from "../engine/engine.ts";
import type { Finisher } from "../format/output/finish.ts";
import type { ImageLevel, ImageLimits, UnreadablePart } from "../format/image.ts";
import type { ImageReaders } from "../format/readers/open-readers.ts";
import type { TiledImage } from "../format/readers/tiled-image.ts";
import type { Size } from "../geometry/rectangle.ts";
import type { Abortable, ByteSource } from "../io/byte-source.ts";
import type { ObjectStore } from "../io/object-store.ts";
import type { Model } from "../model/model.ts";
import type { Network, Triple } from "../model/network.ts";
import type { Observe } from "./events.ts";
import type { ProgramCache } from "./program-cache.ts";
import type { SpeedMeter } from "./speed-meter.ts";
import type { ExplanationSettings } from "./settings.ts";

/** What explaining an image needs besides the image; shared by all images of a process. */
export interface ExplanationResources {
  readonly engine: Engine;
  /** Compiled programs of the same engine, when they should outlive one image. */
  readonly programs?: ProgramCache;
  readonly model: Model;
  /** The threads that write maps, when they should outlive one image. */
  readonly finisher?: Finisher;
  /** The threads that read images; by default they are read on the caller's. */
  readonly readers?: ImageReaders;
  readonly output: ObjectStore;
  /** Folder for scratch files; each image makes and removes its own folder inside. */
  readonly scratch: string;
  /** Folder where `explainImage` keeps parts of images for whoever goes on after a crash; default: `scratch`. */
  readonly parts?: string;
  /**
   * Aborted when the process stops: then, and only then, what is done of an unfinished shard is saved. Default: whenever work
   * is given up.
   */
  readonly leaving?: AbortSignal;
  /** How fast the process has been so far. */
  readonly speeds?: SpeedMeter;
  readonly limits?: ImageLimits;
  /** Bytes that one tile may take in the engine; the tile size follows from it. */
  readonly memoryBytes?: number;
  readonly observe?: Observe;
}

/** An image and the key under which its outputs go. */
export interface ImageReference {
  /** As the user gave it: a path or `s3://bucket/key`. */
  readonly uri: string;
  readonly key: string;
  /** Opens the image's bytes; the pipeline disposes of them. */
  open(options: Abortable): Promise<ByteSource>;
}

/** An open image with all that explaining it needs: what its runs share. */
export interface ImageWork {
  readonly image: ImageReference;
  readonly settings: ExplanationSettings;
  readonly resources: ExplanationResources;
  readonly slide: TiledImage;
  readonly level: ImageLevel;
  /** For the level's size. */
  readonly network: Network;
  /** The same for another one. */
  readonly networkOf: (size: Size) => Network;
  readonly mean: Triple;
  readonly std: Triple;
  readonly programs: ProgramCache;
  readonly finisher: Finisher;
  /** Parts of the level that could not be read so far, and were taken as white; empty unless that is asked for. */
  readonly unreadable: readonly UnreadablePart[];
  /** What is computed, for `speeds`. */
  readonly speedKey: string;
  readonly observe: Observe;
}
