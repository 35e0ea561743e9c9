import { failurePrefix, workPrefix } from "@slidelight/contract";
import { manifestName } from "@slidelight/core/request";
import type { Abortable, ObjectInfo, ObjectStore } from "@slidelight/core";

/** An image's manifests and failure records, as a listing knows them. */
export interface ImageLedger {
  readonly key: string;
  readonly manifests: readonly ObjectInfo[];
  readonly failures: readonly ObjectInfo[];
}

/** Keys of a run's raw values that are listed before the rest of them is jumped over: as many as come with one request. */
const patience = 1000;

/**
 * The images of a store of results, one after the other. Manifests and failure records lie apart, and both come in the order of the
 * images' keys, so that they are read side by side: memory does not grow with the archive.
 */
export async function* imageLedgers(store: ObjectStore, options: Abortable): AsyncGenerator<ImageLedger> {
  const manifests = withHead(manifestsIn(store, options));
  const failures = withHead(failuresIn(store, options));
  await Promise.all([manifests.advance(), failures.advance()]);
  for (;;) {
    const key = firstOf(manifests.head()?.key, failures.head()?.key);
    if (key === undefined) return;
    yield { key, manifests: await manifests.takeAll(key), failures: await failures.takeAll(key) };
  }
}

interface Found {
  /** Of the image. */
  readonly key: string;
  readonly info: ObjectInfo;
}

async function* manifestsIn(store: ObjectStore, { signal }: Abortable): AsyncGenerator<Found> {
  let after: string | undefined = "";
  while (after !== undefined) {
    const from: string = after;
    after = undefined;
    let raw = 0;
    for await (const info of store.list("", { signal, ...(from === "" ? {} : { after: from }) })) {
      if (info.key.startsWith(workPrefix)) {
        after = behind(workPrefix);
        break;
      }
      const [, values] = /^(.*\/[0-9a-f]{32}\/map\.zarr\/)/u.exec(info.key) ?? [];
      raw = values === undefined ? 0 : raw + 1;
      if (values !== undefined && raw >= patience) {
        after = behind(values);
        break;
      }
      const [, key, name] = /^(.+)\/[0-9a-f]{32}\/([^/]+)$/u.exec(info.key) ?? [];
      if (key !== undefined && name === manifestName) yield { key, info };
    }
  }
}

async function* failuresIn(store: ObjectStore, { signal }: Abortable): AsyncGenerator<Found> {
  for await (const info of store.list(failurePrefix, { signal })) {
    const [, key] = /^(.+)\/[^/]+\.json$/u.exec(info.key.slice(failurePrefix.length)) ?? [];
    if (key !== undefined) yield { key, info };
  }
}

/** The first text behind all keys of a folder: 0 comes after the slash. */
function behind(folder: string): string {
  return `${folder.slice(0, -1)}0`;
}

/** As stores order them: what lies below an image's key, by bytes. */
function firstOf(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Buffer.compare(Buffer.from(`${one}/`), Buffer.from(`${other}/`)) <= 0 ? one : other;
}

/** An iterator whose next value can be looked at before it is taken. */
function withHead(found: AsyncGenerator<Found>) {
  let next: Found | undefined;
  const advance = async (): Promise<void> => {
    const { done, value } = await found.next();
    next = done === true ? undefined : value;
  };
  return {
    head: (): Found | undefined => next,
    advance,
    takeAll: async (key: string): Promise<readonly ObjectInfo[]> => {
      const taken: ObjectInfo[] = [];
      while (next?.key === key) {
        taken.push(next.info);
        await advance();
      }
      return taken;
    },
  };
}
