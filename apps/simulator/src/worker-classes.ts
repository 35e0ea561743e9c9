import { randomOf } from "./random.ts";

/** What workers of a class do, and what they cost when nothing else is said. */
export interface WorkerClass {
  /** Megapixels of tile cores a second; median. */
  readonly speed: number;
  /** Standard deviation of the speed's logarithm. */
  readonly speedSpread: number;
  /** From the machine's start to the first job: its image, the engine, the model. */
  readonly startup: number;
  /** Seconds of a job in which the engine waits: the first tile, its programs. */
  readonly gap: number;
  /** Seconds a megapixel: scaling, compressing and writing the map after the last tile. */
  readonly assembly: number;
  /** For an hour of one worker. */
  readonly price: number;
}

export const classNames = ["gpu", "cpu"] as const;
export type ClassName = (typeof classNames)[number];

/**
 * `cpu`: two cores, as docs/performance.md measured them (Grad-CAM, bfloat16, base-16 U-Net). `gpu`: an assumption, one
 * accelerator beside 16 cores. Prices are assumptions: set your own.
 */
export const workerClasses: { readonly [C in ClassName]: WorkerClass } = {
  gpu: { speed: 60, speedSpread: 0.1, startup: 90, gap: 0.5, assembly: 0.008, price: 2 },
  cpu: { speed: 2, speedSpread: 0.15, startup: 20, gap: 0.8, assembly: 0.054, price: 0.1 },
};

/** Of one worker: its class with a speed of its own. */
export type WorkerTraits = WorkerClass & { readonly pixelsPerSecond: number };

/** Worker `index` of all; a replacement is another machine, so its `life` counts. */
export function traitsOf(
  { speed, ...traits }: WorkerClass,
  { seed, index, life }: { readonly seed: number; readonly index: number; readonly life: number },
): WorkerTraits {
  const own = speed * Math.exp(traits.speedSpread * randomOf(seed, "worker", index, life).normal());
  return { ...traits, speed: own, pixelsPerSecond: own * 1e6 };
}
