import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { openOnnxRuntimeEngine } from "../engine/onnxruntime/index.ts";
import { defaultUNet } from "../model/unet.ts";
import type { LabelledImages } from "./batches.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { keyedRandom } from "./keyed-random.ts";
import type { TrainingProgress } from "./progress.ts";
import type { TrainingSettings } from "./settings.ts";
import { trainNetwork } from "./train-network.ts";
import type { TrainingEvent } from "./train-network.ts";
import { encodeTrainedModel } from "./trained-model.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openOnnxRuntimeEngine({ threads: 1 });
});
afterAll(() => engine[Symbol.asyncDispose]());

const side = 16;

/** Noise; images of class 1 have a bright square somewhere. Some are larger than the square that is seen. */
const images: LabelledImages = {
  labels: Array.from({ length: 22 }, (_, index) => index % 2),
  read: (index) => {
    const width = side + (index % 3) * 4;
    const random = keyedRandom(index, 9);
    const data = Uint8Array.from({ length: width * width * 3 }, () => Math.floor(random() * 90));
    const [left, top] = [Math.floor(random() * (width - 5)), Math.floor(random() * (width - 5))];
    for (let at = 0; index % 2 === 1 && at < 75; at += 1) {
      data[((top + Math.floor(at / 15)) * width + left) * 3 + (at % 15)] = 240;
    }
    return Promise.resolve({ width, height: width, samples: "uint8", data });
  },
};

const settings: TrainingSettings = {
  network: {
    unet: { ...defaultUNet, depth: 1, baseChannels: 2, pool: { kind: "generalised-mean", power: 2 }, seed: 1 },
    normalised: true,
    learnsPower: true,
    encoderLoss: 1,
    consistency: 0.3,
    entropy: 0.01,
    equivariance: 0.1,
  },
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  views: { side, crops: "random", flips: true, rotations: true },
  stains: 0.1,
  batchImages: 4,
  epochs: 3,
  patience: 0,
  optimiser: { kind: "adamw", weightDecay: 0.01 },
  schedule: { kind: "cosine", rate: 0.02, warmUp: 0.1, mapWarmUp: 0 },
  classWeights: [1, 1],
  validationShare: 0.2,
  seed: 1,
};

const identity = { images: "some" };

interface Outcome {
  readonly model: Uint8Array;
  readonly saved: readonly Uint8Array[];
}

/** Trains; what it saves goes through bytes. `stop` is asked at each event whether it ends there. */
async function train(
  options: {
    readonly from?: TrainingProgress;
    readonly stop?: (event: TrainingEvent) => boolean;
    readonly change?: Partial<TrainingSettings>;
    readonly saved?: Uint8Array[];
  } = {},
): Promise<Outcome> {
  const { from, stop, change = {}, saved = [] } = options;
  const all = { ...settings, ...change };
  const interruption = new AbortController();
  const trained = await trainNetwork(images, all, {
    engine,
    signal: interruption.signal,
    ...(from === undefined ? {} : { from }),
    saveSteps: 500,
    save: (progress) => {
      saved.push(encodeCheckpoint(progress, identity));
      return Promise.resolve();
    },
    observe: (event) => {
      if (stop?.(event) === true) interruption.abort(new Error("interrupted"));
    },
  });
  return {
    model: encodeTrainedModel(trained, { settings: all, classes: ["a", "b"], description: "", record: {} }),
    saved,
  };
}

function lastOf(saved: readonly Uint8Array[]): TrainingProgress {
  return decodeCheckpoint(saved.at(-1) ?? new Uint8Array(), { uri: "here", identity });
}

describe("training a network", () => {
  it("learns, and gives the same bytes after any interruption", async () => {
    const whole = await train();
    const { history } = lastOf(whole.saved);
    expect(history).toHaveLength(3);
    expect(history[2]?.loss).toBeLessThan(history[0]?.loss ?? 0);
    const interruptions: readonly ((event: TrainingEvent) => boolean)[] = [
      (event) => event.kind === "step" && event.epoch === 1 && event.images === 4,
      (event) => event.kind === "step" && event.epoch === 2 && event.images === event.epochImages,
      (event) => event.kind === "validating" && event.epoch === 2,
    ];
    for (const stop of interruptions) {
      const saved: Uint8Array[] = [];
      await expect(train({ stop, saved })).rejects.toThrow("interrupted");
      const { model } = await train({ from: lastOf(saved) });
      expect(Buffer.compare(model, whole.model)).toBe(0);
    }
    // Killed without a word: from the checkpoint of an epoch's end.
    const killed = whole.saved.slice(0, 2);
    expect(Buffer.compare((await train({ from: lastOf(killed) })).model, whole.model)).toBe(0);
    // After the last epoch, before the model was written.
    expect(Buffer.compare((await train({ from: lastOf(whole.saved) })).model, whole.model)).toBe(0);
  });

  it("stops when the validation loss falls no further, and keeps the best epoch", async () => {
    const saved: Uint8Array[] = [];
    // A rate of nearly nothing: no epoch is better than the first but by rounding.
    const change = {
      epochs: 50,
      patience: 2,
      schedule: { kind: "constant", rate: 1e-12, warmUp: 0, mapWarmUp: 0 },
    } as const;
    await train({ change, saved });
    const { epochs, best, history } = lastOf(saved);
    expect(epochs).toBeLessThan(50);
    expect(epochs - (best?.epoch ?? 0)).toBe(2);
    const losses = history.map(({ validation }) => validation?.loss ?? Number.NaN);
    expect(losses[(best?.epoch ?? 0) - 1]).toBe(Math.min(...losses));
  });

  it("stops when the loss is not finite; what was saved before is good", async () => {
    const saved: Uint8Array[] = [];
    const change = { schedule: { kind: "constant", rate: 1e30, warmUp: 0, mapWarmUp: 0 } } as const;
    await expect(train({ change, saved })).rejects.toMatchObject({
      code: "training-diverged",
      message: expect.stringContaining("--learning-rate"),
    });
    expect(lastOf(saved).epochs).toBe(0);
    expect((await train({ from: lastOf(saved) })).model.length).toBeGreaterThan(1000);
  });

  it("trains without validation on fewer images than a batch has", async () => {
    const { saved } = await train({ change: { epochs: 1, validationShare: 0, batchImages: 100 } });
    const { history, best } = lastOf(saved);
    expect(history[0]).not.toHaveProperty("validation");
    expect(best?.epoch).toBe(1);
  });
});

describe("a checkpoint", () => {
  it("is refused when it is damaged, cut short, or of another training", async () => {
    const { saved } = await train({ change: { epochs: 1 } });
    const bytes = saved.at(-1) ?? new Uint8Array();
    const damaged = Uint8Array.from(bytes);
    damaged[200] = (damaged[200] ?? 0) ^ 1;
    for (const wrong of [damaged, bytes.subarray(0, bytes.length - 5), new Uint8Array(3)]) {
      expect(() => decodeCheckpoint(wrong, { uri: "here", identity })).toThrow(/damaged/u);
    }
    expect(() => decodeCheckpoint(bytes, { uri: "here", identity: { images: "others" } })).toThrow(
      /images: "some" then, "others" now/u,
    );
  });
});
