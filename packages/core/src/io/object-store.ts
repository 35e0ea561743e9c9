import type { Abortable, ByteSource } from "./byte-source.ts";

export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

export interface PutOptions extends Abortable {
  /** Write only when the key is absent; an existing object stays as it is and the answer is `exists`. */
  readonly ifAbsent?: boolean;
  readonly contentType?: string;
}

export interface GiveUpOptions extends Abortable {
  /** Of uploads that are given up: 0 where nobody else writes below the prefix. Default: an hour. */
  readonly olderThanMs?: number;
  /** Whether folders below that of the prefix are looked through too. Default: yes. */
  readonly nested?: boolean;
}

/**
 * Keys to bytes. A put is atomic: readers see the old object or the whole new one, whatever crashes. Keys are
 * `/`-separated, any Unicode, without empty, `.` or `..` segments (`key-invalid`).
 */
export interface ObjectStore {
  /** Where keys live, to print: a folder or `s3://bucket/prefix`. */
  readonly uri: string;
  /** What is known of a key; `undefined` when there is no such object. */
  head(key: string, options?: Abortable): Promise<ObjectInfo | undefined>;
  /** @throws {SlidelightError} `store-not-found` when there is no such object. */
  open(key: string, options?: Abortable): Promise<ByteSource>;
  /** Bytes held in memory, for small objects. */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<"written" | "exists">;
  /** The bytes of a local file, streamed (in parts when large). */
  putFile(key: string, path: string, options?: PutOptions): Promise<"written" | "exists">;
  /** In key order, with bounded memory; `after` resumes behind a key. */
  list(prefix: string, options?: Abortable & { readonly after?: string }): AsyncGenerator<ObjectInfo>;
  /** Absent is no error. */
  delete(key: string, options?: Abortable): Promise<void>;
  /**
   * Removes what writes below a prefix left behind that were begun and never finished, because their process was killed:
   * temporary files, parts of uploads. Where it can't be known that their process is gone, those of some age; whoever still
   * writes there fails, and may try again.
   */
  giveUpWrites(prefix: string, options?: GiveUpOptions): Promise<void>;
}
