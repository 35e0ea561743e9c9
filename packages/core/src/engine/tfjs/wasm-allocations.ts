/** What WebAssembly can address. */
const addressable = 2 ** 32;

interface Allocator {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

function hasAllocator(wasm: object): wasm is Allocator {
  return "_malloc" in wasm && "_free" in wasm;
}

/**
 * WebAssembly's allocator takes lengths modulo 2^32, and gives the address 0 when there is no memory: the backend looks at
 * neither, and would write over what it has. With this, it throws a RangeError.
 */
export function guardAllocations(wasm: object): void {
  if (!hasAllocator(wasm)) throw new TypeError("TensorFlow.js's wasm module has another allocator than 4.22's.");
  // Its first call puts another function in its place.
  wasm["_free"](wasm["_malloc"](1));
  const allocate = wasm["_malloc"];
  wasm["_malloc"] = (bytes) => {
    const address = bytes < addressable ? allocate(bytes) : 0;
    if (address !== 0 || bytes === 0) return address;
    throw new RangeError(`WebAssembly has no ${bytes} bytes left of its 4 GiB; give --memory less`);
  };
}
