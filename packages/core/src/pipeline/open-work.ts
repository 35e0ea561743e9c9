import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ImageLevel, SlideImage, UnreadablePart } from "../format/image.ts";
import { levelForResolution } from "../format/images/choose-level.ts";
import { openImage } from "../format/images/open-image.ts";
import type { Abortable } from "../io/byte-source.ts";
import { observed } from "../io/observed.ts";
import { networkFor } from "../model/network.ts";
import type { Observe } from "./events.ts";
import type { ExplanationResources, ImageReference, ImageWork } from "./image-work.ts";
import { openProgramCache } from "./program-cache.ts";
import type { ExplanationSettings } from "./settings.ts";
import { stopwatch } from "./stopwatch.ts";

export interface OpenWorkOptions extends Abortable {
  readonly settings: ExplanationSettings;
  readonly resources: ExplanationResources;
  readonly observe: Observe;
}

/**
 * Opens an image with all that explaining it needs.
 * @throws {SlidelightError} For the image or the model; `usage` when there is no such level.
 */
export async function openWork(
  image: ImageReference,
  { settings, resources, observe, signal }: OpenWorkOptions,
): Promise<ImageWork & AsyncDisposable> {
  const unreadable: UnreadablePart[] = [];
  let level: ImageLevel | undefined;
  const tolerate = (part: UnreadablePart): void => {
    observe({ kind: "warning", message: `${part.message} It is taken as white.` });
    if (part.level === level?.index) unreadable.push(part);
  };
  const slide = await stopwatch(observe)("open", async () => {
    const source = observed(await image.open({ signal }), (bytes) => observe({ kind: "bytes-read", bytes }));
    return openImage(image.uri, source, {
      scratch: resources.scratch,
      signal,
      ...(resources.limits === undefined ? {} : { limits: resources.limits }),
      ...(settings.tolerateBadTiles === true ? { tolerate } : {}),
    });
  });
  try {
    const { model, engine } = resources;
    level = chooseLevel(slide, settings);
    const mean = settings.mean ?? model.mean ?? ([0, 0, 0] as const);
    const std = settings.std ?? model.std ?? ([1, 1, 1] as const);
    const network = networkFor(model, level, { samples: slide.samples, mean, std });
    const ownPrograms = resources.programs === undefined ? openProgramCache(engine) : undefined;
    const programs = resources.programs ?? ownPrograms;
    if (programs === undefined) throw new RangeError("A program cache was just opened.");
    const computed = [settings.precision ?? "float32", settings.layer ?? "", ...settings.methods, ...settings.targets];
    const speedKey = [model.sha256, ...computed].join("/");
    const close = async (): Promise<void> => {
      await ownPrograms?.[Symbol.asyncDispose]();
      await slide[Symbol.asyncDispose]();
    };
    const opened = { image, settings, resources, slide, level, network, mean, std, programs };
    return { ...opened, unreadable, speedKey, observe, [Symbol.asyncDispose]: close };
  } catch (error) {
    await slide[Symbol.asyncDispose]();
    throw error;
  }
}

function chooseLevel(slide: SlideImage, settings: ExplanationSettings): ImageLevel {
  const index =
    settings.micronsPerPixel === undefined
      ? (settings.level ?? 0)
      : levelForResolution(slide, settings.micronsPerPixel);
  const level = slide.levels[index];
  if (level !== undefined) return level;
  throw new SlidelightError(
    "usage",
    `Choosing level ${settings.level} of ${slide.uri}: expected 0 to ${slide.levels.length - 1}, the image has ${slide.levels.length} level${slide.levels.length === 1 ? "" : "s"}.`,
  );
}
