import { readModel } from "@slidelight/contract";
import type { ImageJob } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import type { Model, StoreSettings } from "@slidelight/core";

export interface ModelCache {
  /** @throws {SlidelightError} `job-invalid` when the model has changed since the job was made; as `readModel`. */
  get(model: ImageJob["model"], options: { readonly signal: AbortSignal }): Promise<Model>;
}

const kept = 4;

/** Models by their digest, kept for the jobs that follow; one that could not be read is not. */
export function openModelCache(storage: StoreSettings): ModelCache {
  const models = new Map<string, Promise<Model>>();
  return {
    get: async ({ uri, sha256 }, { signal }) => {
      const known = models.get(sha256);
      const loading = known ?? readModel(uri, { ...storage, signal }).then(({ model }) => model);
      if (known === undefined) {
        models.set(sha256, loading);
        const [oldest] = models.keys();
        if (models.size > kept && oldest !== undefined) models.delete(oldest);
      }
      try {
        const model = await loading;
        if (model.sha256 === sha256) return model;
        throw new SlidelightError(
          "job-invalid",
          `Loading the model ${uri}: expected the one that was there when the job was made (SHA-256 ${sha256}), got ${model.sha256}. Enqueue again.`,
        );
      } catch (error) {
        models.delete(sha256);
        throw error;
      }
    },
  };
}
