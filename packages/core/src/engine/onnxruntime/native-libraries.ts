import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../errors/message-of.ts";
import type { Provider } from "./providers.ts";

/** The release whose providers `npm run setup:cuda` fetches: that of the npm package. */
const release = "1.30.0";

/**
 * NVIDIA's libraries, each after those that it is linked with. The CUDA provider and cuDNN look for the others by name
 * when they need them, and get those that are loaded.
 */
const cudaLibraries = [
  ["nvidia-cuda-runtime", "nvidia/cu13/lib/libcudart.so.13"],
  ["nvidia-nvjitlink", "nvidia/cu13/lib/libnvJitLink.so.13"],
  ["nvidia-cuda-nvrtc", "nvidia/cu13/lib/libnvrtc-builtins.so.13.5"],
  ["nvidia-cuda-nvrtc", "nvidia/cu13/lib/libnvrtc.so.13"],
  ["nvidia-cublas", "nvidia/cu13/lib/libcublasLt.so.13"],
  ["nvidia-cublas", "nvidia/cu13/lib/libcublas.so.13"],
  ["nvidia-curand", "nvidia/cu13/lib/libcurand.so.10"],
  ["nvidia-cufft", "nvidia/cu13/lib/libcufft.so.12"],
  ["nvidia-cudnn-cu13", "nvidia/cudnn/lib/libcudnn.so.9"],
] as const;

const runtime = ["onnxruntime-gpu", "onnxruntime/capi/libonnxruntime.so.1"] as const;

/** What comes with the system, by name: the driver, and TensorRT where that is asked for. */
const systemLibraries: { readonly [P in Provider]: readonly string[] } = {
  cpu: [],
  webgpu: [],
  cuda: ["libcuda.so.1"],
  tensorrt: ["libcuda.so.1", "libnvinfer.so.10", "libnvonnxparser.so.10"],
};

/** What the loader gave; kept, so that nothing is unloaded. */
const loaded = new Map<string, unknown>();

/**
 * Loads what `npm run setup:cuda` fetched, where it did: to be called before ONNX Runtime's binding is loaded, which then
 * takes the runtime that is there already. ONNX Runtime looks for its providers beside itself, so whichever engine of a
 * process is the first, the runtime is the one with the providers. No environment variable has to be set.
 * @throws {Error} naming the library that could not be loaded: ONNX Runtime keeps that for itself.
 */
export async function loadNativeLibraries(provider: Provider): Promise<void> {
  const folder = join(homedir(), ".cache", "slidelight", `onnxruntime-gpu-${release}`);
  if (process.platform !== "linux" || !existsSync(join(folder, ...runtime))) return;
  const { foreignLibraries } = await import("../foreign-libraries.ts");
  const system = systemLibraries[provider];
  const fetched = system.length === 0 ? [runtime] : [...cudaLibraries, runtime];
  for (const path of [...fetched.map((parts) => join(folder, ...parts)), ...system]) {
    if (loaded.has(path)) continue;
    try {
      loaded.set(path, foreignLibraries().load(path, { global: true }));
    } catch (error) {
      throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
    }
  }
}
