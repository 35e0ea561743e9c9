/** What `make` gives for an object: made once, and kept as long as the object is. */
export function remembered<K extends object, V>(make: (object: K) => V): (object: K) => V {
  const known = new WeakMap<K, { readonly value: V }>();
  return (object) => {
    const found = known.get(object) ?? { value: make(object) };
    known.set(object, found);
    return found.value;
  };
}

/** The same by a name beside the object, of which few are asked for. */
export function rememberedByName<V>(): (object: object, name: string, make: () => V) => V {
  const namesOf = remembered((_: object) => new Map<string, { readonly value: V }>());
  return (object, name, make) => {
    const names = namesOf(object);
    const found = names.get(name) ?? { value: make() };
    names.set(name, found);
    return found.value;
  };
}
