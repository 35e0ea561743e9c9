import koffi from "koffi";

/** What Linux gives a main thread. */
const stackBytes = 8 * 2 ** 20;
let configured = false;

/**
 * koffi, which loads native libraries. A foreign function runs on a stack that koffi makes; 256 KiB are too few for OpenVINO's compiler.
 * It refuses to be told so once any library of the thread has been looked for, whoever did: hence in one place.
 */
export function foreignLibraries(): typeof koffi {
  if (!configured) {
    configured = true;
    koffi.config({ sync_stack_size: stackBytes, async_stack_size: stackBytes });
  }
  return koffi;
}
