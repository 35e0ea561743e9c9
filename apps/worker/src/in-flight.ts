import type { Observe, PipelineEvent } from "@slidelight/core";
import type { ImageEntry } from "@slidelight/contract";

/**
 * The next image is begun when less than this is left to compute of those in flight: more than the largest tile, which may be a whole image of
 * 4096 x 4096, so that the engine has work while images are opened, assembled and written. Of small images several are in flight, of
 * a slide only its end overlaps the beginning of the next.
 */
const leastPixels = 32_000_000;
/** The same, in seconds of an engine that computes more meanwhile: what opening an image, reading its first tile, and writing another one's map take. */
const leadSeconds = 2;
/** Each image in flight holds decoded tiles and a thread that writes. */
const mostImages = 6;

interface Started {
  /** From 1, in the order of the list. */
  readonly number: number;
  readonly observe: Observe;
}

interface FlightState {
  readonly text: string;
  readonly done: number;
  readonly total: number;
}

export interface FlightOptions {
  readonly start: (entry: ImageEntry, started: Started) => Promise<void>;
  /** Called with pixels of all images in flight: a sweep counts each once. */
  readonly progress: (state: FlightState) => void;
}

interface Flight {
  readonly key: string;
  total: number;
  done: number;
}

/**
 * Explains the images of a list, as many at once as keep the engine busy.
 * @returns How many there were.
 * @throws What the first of them throws, or the list, after the others in flight have ended; no further one is begun.
 */
export async function explainInFlight(
  entries: AsyncIterable<ImageEntry>,
  { start, progress }: FlightOptions,
): Promise<number> {
  const flights = new Map<Flight, Promise<void>>();
  const faults: unknown[] = [];
  let wake = (): void => undefined;
  const computed = { pixels: 0, seconds: 0 };
  const observing =
    (flight: Flight, number: number) =>
    (event: PipelineEvent): void => {
      if (event.kind === "image-planned") flight.total += event.pixels * event.sweeps;
      if (event.kind === "tile-done") {
        flight.done += event.pixels;
        computed.pixels += event.pixels;
        computed.seconds += event.busySeconds;
      }
      if (event.kind !== "image-planned" && event.kind !== "tile-done") return;
      const all = [...flights.keys()];
      progress({
        text: `${number}: ${flight.key}${all.length > 1 ? ` and ${all.length - 1} more` : ""}`,
        done: sum(all.map(({ done }) => done)),
        total: sum(all.map(({ total }) => total)),
      });
      wake();
    };
  const hasRoom = (): boolean => {
    const all = [...flights.keys()];
    const opening = all.some(({ total }) => total === 0);
    const left = sum(all.map(({ total, done }) => total - done));
    const speed = computed.pixels / Math.max(computed.seconds, Number.MIN_VALUE);
    return (
      all.length === 0 || (!opening && all.length < mostImages && left < Math.max(leastPixels, leadSeconds * speed))
    );
  };
  let number = 0;
  try {
    for await (const entry of entries) {
      while (!hasRoom()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (faults.length > 0) break;
      number += 1;
      const flight: Flight = { key: entry.key, total: 0, done: 0 };
      const flying = start(entry, { number, observe: observing(flight, number) })
        .catch((error: unknown) => void faults.push(error))
        .finally(() => {
          flights.delete(flight);
          wake();
        });
      flights.set(flight, flying);
    }
  } catch (error) {
    // The list itself can't be read on. Those in flight still use what the caller would close.
    faults.push(error);
  }
  await Promise.all(flights.values());
  if (faults.length > 0) throw faults[0];
  return number;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
