import type { LibraryHandle } from "koffi";

/** An NVIDIA GPU, as its driver describes it. */
export interface CudaDevice {
  /** "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  readonly memoryBytes: number;
}

const driverNames: Partial<Record<NodeJS.Platform, string>> = { linux: "libcuda.so.1", win32: "nvcuda.dll" };
const nameBytes = 256;

/**
 * The GPU that CUDA counts as `index`, asked of the driver: ONNX Runtime and TensorFlow.js don't tell. `undefined` where there
 * is no driver or no such device: whoever opens it says why.
 */
export async function cudaDevice(index: number): Promise<CudaDevice | undefined> {
  const path = driverNames[process.platform];
  if (path === undefined) return undefined;
  const { foreignLibraries } = await import("./foreign-libraries.ts");
  let driver: LibraryHandle;
  try {
    driver = foreignLibraries().load(path);
  } catch {
    return undefined;
  }
  const succeeds = (signature: string, ...parameters: readonly unknown[]): boolean =>
    driver.func(signature)(...parameters) === 0;
  const device = [0];
  const name = Buffer.alloc(nameBytes);
  const memory: (number | bigint)[] = [0];
  const described =
    succeeds("int cuInit(unsigned int flags)", 0) &&
    succeeds("int cuDeviceGet(_Out_ int *device, int ordinal)", device, index) &&
    succeeds("int cuDeviceGetName(_Out_ uint8_t *name, int length, int device)", name, nameBytes, device[0]) &&
    succeeds("int cuDeviceTotalMem_v2(_Out_ size_t *bytes, int device)", memory, device[0]);
  if (!described) return undefined;
  return { name: name.toString("latin1", 0, name.indexOf(0)), memoryBytes: Number(memory[0]) };
}
