import { expect, test } from "vitest";
import { openOnnxRuntimeEngine } from "../packages/core/src/engine/onnxruntime/index.ts";
import { openOpenVinoEngine } from "../packages/core/src/engine/openvino/index.ts";
import { openTfjsEngine } from "../packages/core/src/engine/tfjs/index.ts";
import type { Engine } from "../packages/core/src/engine/engine.ts";
import { SlidelightError } from "../packages/core/src/errors/slidelight-error.ts";
import { defaultUNet } from "../packages/core/src/model/unet.ts";
import { initialTraining, openTrainer } from "../packages/core/src/train/trainer.ts";
import type { TrainedNetwork } from "../packages/core/src/train/parameters.ts";
import { goldenBatch, loadGoldenTraining } from "./golden/load-training.ts";

const golden = await loadGoldenTraining();

const network: TrainedNetwork = {
  unet: {
    ...defaultUNet,
    depth: golden.depth,
    baseChannels: golden.baseChannels,
    classes: golden.classes,
    pool: { kind: "generalised-mean", power: golden.power },
  },
  normalised: true,
  learnsPower: true,
  encoderLoss: golden.encoderLoss,
  consistency: 0,
  entropy: 0,
  equivariance: 0,
};

const engines: readonly (readonly [string, () => Promise<Engine>])[] = [
  ["ONNX Runtime", () => openOnnxRuntimeEngine()],
  ["OpenVINO", () => openOpenVinoEngine()],
  ["TensorFlow.js, wasm", () => openTfjsEngine({ provider: "wasm" })],
];

/** The engine, or why it is not here. */
async function open(make: () => Promise<Engine>): Promise<Engine | string> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof SlidelightError && error.code === "engine-unavailable") return error.message;
    throw error;
  }
}

test.for(engines)("20 steps are PyTorch's: %s", async ([, make], { skip }) => {
  const opened = await open(make);
  if (typeof opened === "string") {
    skip(opened);
    return;
  }
  await using engine = opened;
  const { images, side, mean, std, rate, weightDecay } = golden;
  const batch = { images, side, mean, std, recoloured: false, turned: 0 };
  await using trainer = await openTrainer(network, { engine, batch });
  const begin = initialTraining(network);
  expect(Object.keys(golden.parameters).toSorted()).toEqual(Object.keys(begin.parameters).toSorted());
  let state = { ...begin, parameters: golden.parameters };
  for (const [step, expected] of golden.losses.entries()) {
    const optimiser = { kind: "adamw", weightDecay } as const;
    const result = await trainer.step(state, goldenBatch(golden, step), { optimiser, rate });
    expect(Math.abs(result.loss - expected)).toBeLessThan(1e-4);
    expect(Math.abs((result.encoderLoss ?? Number.NaN) - (golden.encoderLosses[step] ?? 0))).toBeLessThan(1e-4);
    state = result.state;
  }
  expect(state.parameters["pool.power"]?.data[0]).toBeCloseTo(golden.finalPower, 4);
  const logits = await trainer.score(state, goldenBatch(golden, golden.losses.length).pixels);
  const errors = golden.frozenLogits.map((value, index) => Math.abs(value - (logits[index] ?? Number.NaN)));
  expect(Math.max(...errors)).toBeLessThan(1e-3);
});
