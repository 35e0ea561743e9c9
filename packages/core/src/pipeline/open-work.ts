import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ImageLevel, SlideImage, UnreadablePart } from "../format/image.ts";
import { levelForResolution } from "../format/images/choose-level.ts";
import { openFinisher } from "../format/output/finish.ts";
import { openTiled } from "../format/readers/tiled-image.ts";
import type { Size } from "../geometry/rectangle.ts";
import type { Abortable } from "../io/byte-source.ts";
import { networkFor } from "../model/network.ts";
import type { Network } from "../model/network.ts";
import type { Observe } from "./events.ts";
import type { ExplanationResources, ImageReference, ImageWork } from "./image-work.ts";
import { openProgramCache } from "./program-cache.ts";
import { normalisationOf } from "./run-id.ts";
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
    const open = resources.readers?.open ?? openTiled;
    return open(image.uri, await image.open({ signal }), {
      scratch: resources.scratch,
      onRead: (bytes) => observe({ kind: "bytes-read", bytes }),
      signal,
      ...(resources.limits === undefined ? {} : { limits: resources.limits }),
      ...(settings.tolerateBadTiles === true ? { tolerate } : {}),
    });
  });
  try {
    const { model, engine } = resources;
    level = chooseLevel(slide, settings);
    const { mean, std } = normalisationOf(settings, model);
    const networkOf = (size: Size): Network => networkFor(model, size, { samples: slide.samples, mean, std });
    const network = networkOf(level);
    const programs = givenOrOwn(resources.programs, () => openProgramCache(engine));
    const finisher = givenOrOwn(resources.finisher, openFinisher);
    const computed = [settings.precision ?? "float32", settings.layer ?? "", ...settings.methods, ...settings.targets];
    const speedKey = [model.sha256, ...computed].join("/");
    const close = async (): Promise<void> => {
      await finisher.close();
      await programs.close();
      await slide[Symbol.asyncDispose]();
    };
    const opened = { image, settings, resources, slide, level, network, networkOf, mean, std };
    const parts = { programs: programs.value, finisher: finisher.value };
    return { ...opened, ...parts, unreadable, speedKey, observe, [Symbol.asyncDispose]: close };
  } catch (error) {
    await slide[Symbol.asyncDispose]();
    throw error;
  }
}

/** What belongs to somebody else, or is closed with the image. */
function givenOrOwn<T extends AsyncDisposable>(
  given: T | undefined,
  open: () => T,
): { readonly value: T; readonly close: () => Promise<void> } {
  if (given !== undefined) return { value: given, close: () => Promise.resolve() };
  const value = open();
  return { value, close: async () => value[Symbol.asyncDispose]() };
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
