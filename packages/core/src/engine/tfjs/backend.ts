import { createRequire } from "node:module";
import { join } from "node:path";
import * as util from "node:util";
import { tellLibraries } from "../environment.ts";
import { installationFolder } from "./installation.ts";
import type { ProcessSettings, Provider } from "./protocol.ts";
import type { TensorFlow } from "./tensorflow.ts";
import { guardAllocations } from "./wasm-allocations.ts";

export interface Backend {
  readonly tf: TensorFlow;
  readonly version: string;
}

type Load = (settings: ProcessSettings) => Promise<Backend>;

/** TensorFlow's own log would mix with the program's output; what goes wrong is thrown. */
const quiet = { TF_CPP_MIN_LOG_LEVEL: "3" } as const;

const loaders: { readonly [P in Provider]: Load } = {
  wasm: async () => {
    const tf = await import("@tensorflow/tfjs-core");
    const { BackendWasm } = await import("@tensorflow/tfjs-backend-wasm");
    if (!(await tf.setBackend("wasm"))) throw new Error("its wasm backend did not start");
    const backend = tf.backend();
    if (backend instanceof BackendWasm) guardAllocations(backend.wasm);
    return { tf, version: tf.version_core };
  },
  cpu: ({ threads }) => {
    tellLibraries({
      ...quiet,
      TF_NUM_INTRAOP_THREADS: String(threads),
      TF_NUM_INTEROP_THREADS: "1",
      // No GPU is touched, where the library could.
      CUDA_VISIBLE_DEVICES: "-1",
    });
    return loadNative("cpu");
  },
  gpu: ({ device }) => {
    tellLibraries({
      ...quiet,
      CUDA_VISIBLE_DEVICES: String(device),
      // All that TensorFlow has to say about memory: by default it takes all there is.
      TF_FORCE_GPU_ALLOW_GROWTH: "true",
      NVIDIA_TF32_OVERRIDE: "0",
    });
    return loadNative("gpu");
  },
};

interface NativeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

/** TensorFlow.js with the binding of libtensorflow, as `npm run setup:tfjs` built it. */
async function loadNative(provider: "cpu" | "gpu"): Promise<Backend> {
  restoreTypeChecks();
  const load = createRequire(join(installationFolder(provider), "package.json"));
  const tf: TensorFlow = load("@tensorflow/tfjs-node");
  await tf.ready();
  const backend: NativeBackend = load("@tensorflow/tfjs-node/dist/nodejs_kernel_backend.js").nodeBackend();
  if (provider === "gpu" && !backend.isUsingGpuDevice) throw new Error("TensorFlow sees no GPU");
  return { tf, version: `${tf.version_core} on TensorFlow ${backend.binding.TF_Version}` };
}

/** Functions of node:util that tfjs-node 4.22 calls and Node.js 23 took away. */
function restoreTypeChecks(): void {
  const legacy: object = createRequire(import.meta.url)("node:util");
  if ("isNullOrUndefined" in util) return;
  Object.assign(legacy, {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: Array.isArray,
  });
}

export function loadBackend(settings: ProcessSettings): Promise<Backend> {
  return loaders[settings.provider](settings);
}
