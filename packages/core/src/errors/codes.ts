/**
 * Every way in which Slidelight fails for a reason outside its own code. `retryable` alone decides whether a queue
 * tries the job again: a store that is busy may answer later, a file that is no image never becomes one.
 */
export const errorCodes = {
  usage: { retryable: false },
  "image-not-found": { retryable: false },
  "image-not-an-image": { retryable: false },
  "image-truncated": { retryable: false },
  "image-corrupt": { retryable: false },
  "image-unsupported": { retryable: false },
  "image-too-large": { retryable: false },
  "image-changed": { retryable: true },
  "key-invalid": { retryable: false },
  "store-denied": { retryable: false },
  "store-not-found": { retryable: false },
  "store-unavailable": { retryable: true },
  "store-conflict": { retryable: true },
  "output-unwritable": { retryable: true },
  "model-not-found": { retryable: false },
  "model-unreadable": { retryable: false },
  "model-operator": { retryable: false },
  "model-shape": { retryable: false },
  "model-input": { retryable: false },
  "model-no-pool": { retryable: false },
  "model-not-local": { retryable: false },
  /** Values that are not finite: the same image gives the same again. */
  "model-overflow": { retryable: false },
  /** A loss or gradient that is not finite. */
  "training-diverged": { retryable: false },
  /** Too few images or classes to train with, or a table that can't be read. */
  "training-data": { retryable: false },
  /** A table of images and masks that can't be used, or whose labels the model does not know. */
  "evaluation-data": { retryable: false },
  "checkpoint-invalid": { retryable: false },
  "method-unsuitable": { retryable: false },
  "layer-unknown": { retryable: false },
  "target-unknown": { retryable: false },
  "engine-unavailable": { retryable: false },
  "engine-failed": { retryable: true },
  "queue-unavailable": { retryable: true },
  "job-invalid": { retryable: false },
  /** A job of a later release: a worker of that release must take it. */
  "job-newer": { retryable: true },
  /** A part of an image rests in the store in another form than its plan says; it is made again. */
  "shard-invalid": { retryable: true },
  /** Begun by another engine, which nobody has who could go on: the image is begun anew. */
  "engine-differs": { retryable: true },
  cancelled: { retryable: false },
} as const satisfies Readonly<Record<string, { readonly retryable: boolean }>>;

export type ErrorCode = keyof typeof errorCodes;

/** Whether trying the same work again can succeed without anybody changing the input. */
export function isRetryable(code: ErrorCode): boolean {
  return errorCodes[code].retryable;
}
