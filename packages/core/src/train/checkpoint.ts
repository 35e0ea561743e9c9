import { createHash } from "node:crypto";
import { z } from "zod";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { elementsOf, float32, sizeOf } from "../graph/tensor.ts";
import type { Parameters } from "../model/unet.ts";
import type { TrainingProgress } from "./progress.ts";

/**
 * What a training is, so that it goes on with the same: by name, anything that JSON holds. Two that differ in one of these
 * are two trainings.
 */
export type TrainingIdentity = Readonly<Record<string, unknown>>;

const magic = "SLTRAIN1";
const hashBytes = 32;
const lengthBytes = 4;

const groups = ["parameters", "statistics", "first", "second", "bestParameters", "bestStatistics"] as const;

const number = z.number();
const record = z.object({
  epoch: number,
  rate: number,
  loss: number,
  encoderLoss: number.exactOptional(),
  accuracy: number,
  validation: z.object({ loss: number, accuracy: number }).exactOptional(),
  power: number.exactOptional(),
});
const headerSchema = z.object({
  identity: z.record(z.string(), z.unknown()),
  epochs: number,
  steps: number,
  sums: z.object({ loss: number, encoderLoss: number, correct: number, images: number }),
  optimiserSteps: number,
  history: z.array(record),
  best: z.object({ epoch: number, confusion: z.array(z.array(number)).exactOptional() }).exactOptional(),
  tensors: z.array(z.object({ group: z.enum(groups), name: z.string(), shape: z.array(number) })),
});

/** A checkpoint's bytes: a header in JSON, the numbers in float32, and a hash of both. */
export function encodeCheckpoint(progress: TrainingProgress, identity: TrainingIdentity): Uint8Array {
  const { epochs, steps, sums, state, history, best } = progress;
  const tensors = tensorsOf(progress);
  const header: z.input<typeof headerSchema> = {
    identity,
    epochs,
    steps,
    sums,
    optimiserSteps: state.moments.steps,
    history: history.map((entry) => ({ ...entry })),
    ...(best === undefined
      ? {}
      : {
          best: {
            epoch: best.epoch,
            ...(best.confusion === undefined ? {} : { confusion: best.confusion.map((row) => [...row]) }),
          },
        }),
    tensors: tensors.map(({ group, name, tensor }) => ({ group, name, shape: [...tensor.shape] })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(text.length);
  const numbers = tensors.map(({ tensor }) => {
    const bytes = Buffer.alloc(tensor.data.length * 4);
    elementsOf(tensor).forEach((value, index) => bytes.writeFloatLE(value, index * 4));
    return bytes;
  });
  const body = Buffer.concat([Buffer.from(magic), length, text, ...numbers]);
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

function tensorsOf({ state, best }: TrainingProgress) {
  const all: Readonly<Record<(typeof groups)[number], Parameters>> = {
    parameters: state.parameters,
    statistics: state.statistics,
    first: state.moments.first,
    second: state.moments.second,
    bestParameters: best?.parameters ?? {},
    bestStatistics: best?.statistics ?? {},
  };
  return groups.flatMap((group) => Object.entries(all[group]).map(([name, tensor]) => ({ group, name, tensor })));
}

/**
 * What was reached by the training of that identity.
 * @throws {SlidelightError} `checkpoint-invalid` when the bytes are no whole checkpoint, or one of another training: what differs.
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  { uri, identity }: { readonly uri: string; readonly identity: TrainingIdentity },
): TrainingProgress {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = buffer.subarray(0, Math.max(0, buffer.length - hashBytes));
  const whole =
    body.subarray(0, magic.length).toString("latin1") === magic &&
    createHash("sha256").update(body).digest().equals(buffer.subarray(body.length));
  if (!whole) throw invalid(uri, "it is damaged, or no checkpoint of this release. Begin anew with --restart.");
  const start = magic.length + lengthBytes;
  const end = start + body.readUInt32LE(magic.length);
  const header = headerSchema.parse(JSON.parse(body.subarray(start, end).toString("utf8")));
  const differing = [...new Set([...Object.keys(identity), ...Object.keys(header.identity)])].filter(
    (name) => JSON.stringify(identity[name]) !== JSON.stringify(header.identity[name]),
  );
  if (differing.length > 0) {
    const details = differing.map((name) => {
      return `  ${name}: ${shortened(header.identity[name])} then, ${shortened(identity[name])} now`;
    });
    throw invalid(
      uri,
      `it is of another training:\n${details.join("\n")}\nGo on with the options that it was begun with, or begin anew with --restart.`,
    );
  }
  return progressOf(header, body.subarray(end));
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function progressOf(header: z.output<typeof headerSchema>, numbers: Buffer): TrainingProgress {
  const { epochs, steps, sums, history, best, optimiserSteps } = header;
  const found: Record<string, Record<string, ReturnType<typeof float32>>> = {};
  let at = 0;
  for (const { group, name, shape } of header.tensors) {
    const start = at;
    at += sizeOf(shape) * 4;
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, index) => numbers.readFloatLE(start + index * 4));
    (found[group] ??= {})[name] = float32(shape, values);
  }
  const of = (group: (typeof groups)[number]): Parameters => found[group] ?? {};
  return {
    epochs,
    steps,
    sums,
    state: {
      parameters: of("parameters"),
      statistics: of("statistics"),
      moments: { steps: optimiserSteps, first: of("first"), second: of("second") },
    },
    history,
    ...(best === undefined
      ? {}
      : { best: { ...best, parameters: of("bestParameters"), statistics: of("bestStatistics") } }),
  };
}

function invalid(uri: string, reason: string): SlidelightError {
  return new SlidelightError("checkpoint-invalid", `Going on from the checkpoint ${uri} failed: ${reason}`);
}
