/** What lets long I/O be given up: the signal's own reason is thrown, never wrapped. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** A half-open range of bytes of an object. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Random access to one immutable object (a file, an object of a store), pinned to the version that was there when it
 * was opened: a change is the error `image-changed`, never a mix of two versions.
 */
export interface ByteSource extends AsyncDisposable {
  /** As the user gave it: a path or `s3://bucket/key`. */
  readonly uri: string;
  /** Length in bytes. */
  readonly size: number;
  /** Identity of the version: the store's ETag; for files made of size and modification time. */
  readonly etag: string;
  /**
   * Exactly `length` bytes; the range lies within the object.
   * @throws {SlidelightError} `image-truncated` when the object ends early, `image-changed`, `store-*`.
   */
  read(range: ByteRange, options?: Abortable): Promise<Uint8Array>;
}
