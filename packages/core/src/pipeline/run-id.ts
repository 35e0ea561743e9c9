import { createHash } from "node:crypto";
import type { Precision } from "../engine/engine.ts";

/** Raised whenever the same inputs give other bytes. */
const formatVersion = 2;

/** Everything that determines a run's result. */
export interface RunIdentity {
  readonly image: { readonly etag: string; readonly size: number };
  readonly model: string;
  readonly method: string;
  readonly target: string;
  readonly layer: string | undefined;
  readonly level: number;
  readonly tissue: string;
  readonly raw: string | undefined;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly precision: Precision;
  /** Above which a lower precision is not used; says nothing in float32. */
  readonly maxError: number;
  readonly tolerateBadTiles: boolean;
}

/** 32 hexadecimal digits: the same result has the same id, whoever makes it, wherever the image lies. */
export function runId(identity: RunIdentity): string {
  const { image, model, method, target, layer, level, tissue, raw, mean, std } = identity;
  const precision = identity.precision === "float32" ? [] : [identity.precision, identity.maxError];
  const parts = [formatVersion, image.etag, image.size, model, method, target, layer ?? "", level, tissue, raw ?? ""];
  const tolerant = identity.tolerateBadTiles ? ["tolerate-bad-tiles"] : [];
  return createHash("sha256")
    .update(JSON.stringify([...parts, mean, std, ...precision, ...tolerant]))
    .digest("hex")
    .slice(0, 32);
}
