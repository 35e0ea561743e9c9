import { engineChoices, initialTraining, openEngine, openTrainer } from "../packages/core/dist/index.js";
import { median, printTable } from "./measure.mjs";
import { startPython, whatIsMissing } from "./python.mjs";

/** As slidelight train has them by default. */
const network = (baseChannels) => ({
  unet: {
    depth: 3,
    baseChannels,
    decoder: true,
    classes: 2,
    pool: { kind: "generalised-mean", power: 2 },
    pooled: "features",
    upsampling: "nearest",
    seed: 1,
  },
  normalised: true,
  learnsPower: true,
  encoderLoss: 1,
  consistency: 0,
  entropy: 0,
  equivariance: 0,
});
const batch = { images: 8, side: 128, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25], recoloured: false, turned: 0 };
const variants = ["eager", "channels last"];

/**
 * Training steps of the same network, batch and optimiser in each engine of the CPU and in PyTorch, in turns. Time of the CPU beside
 * time of the clock: on a machine that does other things too, it says more (PyTorch's threads wait for each other in loops).
 */
export async function benchTrain({ rounds, bases, threads, engines = ["openvino", "onnxruntime"] }) {
  const missing = await whatIsMissing(["torch"]);
  if (missing !== undefined) process.stdout.write(`\nPyTorch is left out: ${missing}\n`);
  const rows = [];
  for (const base of bases) {
    const runners = new Map();
    const closing = [];
    try {
      for (const name of engines) {
        if (!engineChoices.some((choice) => choice.engine === name))
          throw new RangeError(`There is no engine ${name}.`);
        try {
          const engine = await openEngine({
            engine: name,
            provider: name === "tfjs" ? "wasm" : "cpu",
            ...threadsOf(threads),
          });
          closing.push(() => engine[Symbol.asyncDispose]());
          runners.set(name, await ourSteps(engine, network(base)));
        } catch (error) {
          process.stdout.write(`\n${name} is left out: ${error.message}\n`);
        }
      }
      if (missing === undefined) {
        const python = await startPython(
          JSON.stringify({ depth: 3, base, images: batch.images, side: batch.side, ...threadsOf(threads) }),
          { script: "train.py" },
        );
        closing.push(() => python[Symbol.asyncDispose]());
        for (const variant of variants)
          runners.set(`PyTorch, ${variant}`, async () => theirStep(await python.ask(variant)));
      }
      const steps = new Map([...runners.keys()].map((name) => [name, []]));
      // Round 0 warms up.
      for (let round = 0; round <= rounds; round += 1) {
        for (const [name, step] of runners) {
          const taken = await step();
          if (round > 0) steps.get(name).push(taken);
        }
      }
      const middle = (name, of) => median(steps.get(name).map((taken) => taken[of]));
      const rate = (name) => batch.images / middle(name, "seconds");
      const cpuRate = (name) => batch.images / middle(name, "cpuSeconds");
      const theirs = variants.map((variant) => `PyTorch, ${variant}`).filter((name) => steps.has(name));
      const over = (of, name) => (theirs.length === 0 ? undefined : of(name) / Math.max(...theirs.map(of)));
      for (const name of steps.keys()) {
        rows.push({
          "base channels": base,
          what: name,
          "images/s": rate(name),
          "over PyTorch": over(rate, name),
          // TensorFlow.js computes in another process, whose time is not seen here.
          "images/CPU s": name === "tfjs" ? undefined : cpuRate(name),
          "over PyTorch, CPU s": name === "tfjs" ? undefined : over(cpuRate, name),
        });
      }
    } finally {
      for (const close of closing.reverse()) await close();
    }
  }
  printTable(`Training steps: ${batch.images} images of ${batch.side} x ${batch.side}, depth 3, float32, AdamW`, rows);
  return { rows };
}

const threadsOf = (threads) => (threads === undefined ? {} : { threads });

function theirStep({ error, ...taken }) {
  if (error !== undefined) throw new Error(`PyTorch's step: ${error}.`);
  return taken;
}

/** One step after the other of one training; each gives its seconds and those of its process's threads, the optimiser's share included. */
async function ourSteps(engine, trained) {
  const trainer = await openTrainer(trained, { engine, batch });
  let state = initialTraining(trained);
  const noise = Uint8Array.from(
    { length: batch.images * batch.side ** 2 * 3 },
    (_, at) => Math.imul(at + 1, 2654435761) >>> 24,
  );
  return async () => {
    const targets = Float32Array.from({ length: batch.images * 2 }, (_, at) => (at % 4 === 0 || at % 4 === 3 ? 1 : 0));
    const pixels = noise.slice();
    const [started, used] = [performance.now(), process.cpuUsage()];
    const optimiser = { kind: "adamw", weightDecay: 0.01 };
    ({ state } = await trainer.step(state, { pixels, targets }, { optimiser, rate: 1e-3 }));
    const { user, system } = process.cpuUsage(used);
    return { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}
