import { parseImageJob, readModel } from "@slidelight/contract";
import type { ImageJob } from "@slidelight/contract";
import { messageOf, SlidelightError } from "@slidelight/core/request";
import type { Abortable, StoreSettings } from "@slidelight/core";
import { z } from "zod";
import { payloadOf } from "./job-pages.ts";
import type { StoredJob } from "./job-pages.ts";
import { runIdsOf } from "./run-ids.ts";
import type { Normalisation } from "./run-ids.ts";

const runIdPattern = /^[0-9a-f]{32}$/u;

/** Payloads of other releases are understood as far as an image goes. */
const anyJob = z.object({ image: z.object({ uri: z.string(), key: z.string() }) });
const progress = z.object({ runIds: z.array(z.string()) });

/** What a job's fields must hold to be matched. */
export const matchedFields = ["data", "progress"] as const;

export interface JobMatcher {
  /** The arguments that mean this job: its id, its image's key or address, or the id of one of its runs. */
  match(job: StoredJob): Promise<readonly string[]>;
  /** Why a run id may have been missed; `undefined` when none was. */
  readonly blind: () => string | undefined;
}

export function jobMatcher(args: readonly string[], options: StoreSettings & Abortable): JobMatcher {
  const names = new Set(args);
  const runs = args.filter((argument) => runIdPattern.test(argument));
  const models = new Map<string, Promise<Normalisation | undefined>>();
  let blind: string | undefined;
  const modelOf = (job: ImageJob): Promise<Normalisation | undefined> => {
    const { mean, std } = job.settings;
    if (mean !== undefined && std !== undefined) return Promise.resolve({});
    const { uri, sha256 } = job.model;
    const known = models.get(sha256);
    if (known !== undefined) return known;
    const reading = readModel(uri, options).then(
      ({ model }) => {
        if (model.sha256 === sha256) return model;
        blind = `the model ${uri} has changed`;
        return undefined;
      },
      (error: unknown) => {
        if (options.signal?.aborted !== true && !(error instanceof SlidelightError)) throw error;
        blind = messageOf(error);
        return undefined;
      },
    );
    models.set(sha256, reading);
    return reading;
  };
  const runsOf = async (job: StoredJob, data: unknown): Promise<readonly string[]> => {
    const told = progress.safeParse(payloadOf(job, "progress")).data?.runIds ?? [];
    const parsed = known(data);
    if (parsed === undefined) return told;
    const model = await modelOf(parsed);
    return model === undefined ? told : [...told, ...(runIdsOf(parsed, model) ?? [])];
  };
  return {
    blind: () => blind,
    match: async (job) => {
      const data = payloadOf(job);
      const image = anyJob.safeParse(data).data?.image;
      const found = [job.id, image?.key, image?.uri].filter((name) => name !== undefined && names.has(name));
      const made = runs.length === 0 ? [] : new Set(await runsOf(job, data));
      const matched = [...found, ...runs.filter((id) => made instanceof Set && made.has(id))];
      return [...new Set(matched.filter((name) => name !== undefined))];
    },
  };
}

/** The job, unless it is one of a release that this one does not know. */
function known(data: unknown): ImageJob | undefined {
  try {
    return parseImageJob(data);
  } catch {
    return undefined;
  }
}
