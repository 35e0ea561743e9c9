import type { ObjectStore } from "./object-store.ts";

/** A store that is opened once something is asked of it. An opening that failed is tried again with the next request. */
export function deferredStore(uri: string, open: () => Promise<ObjectStore>): ObjectStore {
  let opened: ObjectStore | undefined;
  const store = async (): Promise<ObjectStore> => (opened ??= await open());
  return {
    uri,
    head: async (key, options) => (await store()).head(key, options),
    open: async (key, options) => (await store()).open(key, options),
    put: async (key, body, options) => (await store()).put(key, body, options),
    putFile: async (key, path, options) => (await store()).putFile(key, path, options),
    list: async function* (prefix, options) {
      yield* (await store()).list(prefix, options);
    },
    delete: async (key, options) => (await store()).delete(key, options),
    giveUpWrites: async (prefix, options) => (await store()).giveUpWrites(prefix, options),
  };
}
