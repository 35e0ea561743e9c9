import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import { foreignLibraries } from "../foreign-libraries.ts";

/** The release that `npm run setup:openvino` fetches. */
const release = "2026.4.1";

const names = {
  linux: "libopenvino_c.so.2641",
  darwin: "libopenvino_c.2641.dylib",
  win32: "openvino_c.dll",
} as const satisfies Partial<Record<NodeJS.Platform, string>>;

const advice = "Run `npm run setup:openvino`, or name its C library in SLIDELIGHT_OPENVINO.";

/** An object of OpenVINO's, by its address. */
export type Handle = bigint;

/**
 * OpenVINO's C functions, as the headers `openvino/c/*.h` of the wheel declare them. Each returns a status, 0 for success; an
 * object that a function makes goes into the one-element array in its place (`out`).
 */
const signatures = {
  version: "int ov_get_openvino_version(_Out_ ov_version *version)",
  freeVersion: "void ov_version_free(ov_version *version)",
  createCore: "int ov_core_create(_Out_ void **core)",
  freeCore: "void ov_core_free(void *core)",
  property: "int ov_core_get_property(void *core, const char *device, const char *key, _Out_ void **value)",
  freeText: "void ov_free(void *text)",
  readModel:
    "int ov_core_read_model_from_memory_buffer(void *core, const void *bytes, size_t size, void *weights, _Out_ void **model)",
  reshape: "int ov_model_reshape_input_by_name(void *model, const char *input, ov_partial_shape shape)",
  freeModel: "void ov_model_free(void *model)",
  compile:
    "int ov_core_compile_model_props(void *core, void *model, const char *device, size_t count, const ov_property *properties, _Out_ void **compiled)",
  freeCompiled: "void ov_compiled_model_free(void *compiled)",
  createRequest: "int ov_compiled_model_create_infer_request(void *compiled, _Out_ void **request)",
  freeRequest: "void ov_infer_request_free(void *request)",
  createTensor: "int ov_tensor_create_from_host_ptr(int type, ov_shape shape, void *data, _Out_ void **tensor)",
  freeTensor: "void ov_tensor_free(void *tensor)",
  setInput: "int ov_infer_request_set_input_tensor_by_index(void *request, size_t index, void *tensor)",
  setOutput: "int ov_infer_request_set_output_tensor_by_index(void *request, size_t index, void *tensor)",
  infer: "int ov_infer_request_infer(void *request)",
  lastError: "const char *ov_get_last_err_msg()",
} as const;

type FunctionName = keyof typeof signatures;

interface ForeignFunction {
  (...parameters: readonly unknown[]): unknown;
  async(...parameters: readonly unknown[]): void;
}

/** The library, loaded. A call that fails throws what OpenVINO says. */
export interface OpenVino {
  /** Calls a function that returns nothing. */
  free(name: FunctionName, handle: Handle): void;
  freeAsync(name: FunctionName, handle: Handle): Promise<void>;
  /** @throws {Error} with OpenVINO's own message. */
  call(name: FunctionName, ...parameters: readonly unknown[]): void;
  /** The same off the main thread. What the parameters point to must be kept by the caller until it is done. */
  callAsync(name: FunctionName, ...parameters: readonly unknown[]): Promise<void>;
  /** The object that a call makes; `out` stands where the function wants its place. */
  make(name: FunctionName, parameters: (out: readonly unknown[]) => readonly unknown[]): Handle;
  makeAsync(name: FunctionName, parameters: (out: readonly unknown[]) => readonly unknown[]): Promise<Handle>;
  /** The text at an address, which is freed. */
  takeText(handle: Handle): string;
  readonly version: string;
}

/** Where `npm run setup:openvino` puts the C library; `undefined` where it did not. */
function findOpenVino(): string | undefined {
  const name = new Map<string, string>(Object.entries(names)).get(process.platform);
  if (name === undefined) return undefined;
  const path = join(homedir(), ".cache", "slidelight", `openvino-${release}`, "openvino", "libs", name);
  return existsSync(path) ? path : undefined;
}

/**
 * Loads the C library.
 * @param path Of `libopenvino_c`; where `npm run setup:openvino` puts it when absent.
 * @throws {SlidelightError} `engine-unavailable` saying what is missing and how to get it.
 */
export function loadOpenVino(path: string | undefined): OpenVino {
  const found = path ?? findOpenVino();
  if (found === undefined || !existsSync(found)) {
    throw new SlidelightError(
      "engine-unavailable",
      `Opening OpenVINO: expected its C library${path === undefined ? "" : ` at ${path}`}, found none. ${advice}`,
    );
  }
  try {
    const library = bind(found);
    // Element types go by numbers, which have changed between releases.
    if (seriesOf(library.version) === seriesOf(release)) return library;
    throw new Error(`OpenVINO ${library.version}`);
  } catch (error) {
    throw unavailable(`the C library of OpenVINO ${seriesOf(release)} in ${dirname(found)}`, error, advice);
  }
}

/** The error to throw where OpenVINO, or what it should compute on, is another thing than expected. */
export function unavailable(expected: string, error: unknown, advice: string): SlidelightError {
  return new SlidelightError(
    "engine-unavailable",
    `Opening OpenVINO: expected ${expected}, got: ${messageOf(error)}. ${advice}`,
    { cause: error },
  );
}

/** Types are known to koffi by name, once for the process. */
function declareTypes(): void {
  if (declared) return;
  declared = true;
  const koffi = foreignLibraries();
  koffi.struct("ov_shape", { rank: "int64_t", dims: "int64_t *" });
  koffi.struct("ov_dimension", { min: "int64_t", max: "int64_t" });
  koffi.struct("ov_partial_shape", { rank: "ov_dimension", dims: "ov_dimension *" });
  koffi.struct("ov_property", { key: "const char *", value: "const char *" });
  koffi.struct("ov_version", { build: "const char *", description: "const char *" });
}

let declared = false;

function bind(path: string): OpenVino {
  declareTypes();
  const library = foreignLibraries().load(path);
  const functions = new Map<FunctionName, ForeignFunction>();
  const foreign = (name: FunctionName): ForeignFunction => {
    const known = functions.get(name) ?? library.func(signatures[name]);
    functions.set(name, known);
    return known;
  };
  const check = (name: FunctionName, status: unknown): void => {
    if (status === 0) return;
    const said = foreign("lastError")();
    const cause = typeof said === "string" && said !== "" ? said.trim() : "no reason given";
    throw new Error(`${cause} (${symbolOf(name)}: ${String(status)})`);
  };
  const callAsync: OpenVino["callAsync"] = (name, ...parameters) =>
    new Promise((resolve, reject) => {
      foreign(name).async(...parameters, (error: unknown, status: unknown) => {
        try {
          if (error instanceof Error) throw error;
          check(name, status);
          resolve();
        } catch (failure) {
          reject(failure);
        }
      });
    });
  const call: OpenVino["call"] = (name, ...parameters) => check(name, foreign(name)(...parameters));
  const free: OpenVino["free"] = (name, handle) => void foreign(name)(handle);
  return {
    call,
    callAsync,
    free,
    freeAsync: (name, handle) =>
      new Promise((resolve, reject) => {
        foreign(name).async(handle, (error: unknown) => (error instanceof Error ? reject(error) : resolve()));
      }),
    make: (name, parameters) => {
      const out: unknown[] = [null];
      call(name, ...parameters(out));
      return handleOf(out[0]);
    },
    makeAsync: async (name, parameters) => {
      const out: unknown[] = [null];
      await callAsync(name, ...parameters(out));
      return handleOf(out[0]);
    },
    takeText: (handle) => {
      try {
        return foreignLibraries().decode.string(handle);
      } finally {
        free("freeText", handle);
      }
    },
    version: versionOf(foreign),
  };
}

/** "ov_core_create" of "int ov_core_create(…)". */
function symbolOf(name: FunctionName): string {
  return /\w+(?=\()/u.exec(signatures[name])?.[0] ?? name;
}

function handleOf(value: unknown): Handle {
  if (typeof value === "bigint") return value;
  throw new TypeError(`OpenVINO gave no object but ${String(value)}.`);
}

/** "2026.4" of "2026.4.1". */
function seriesOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

/** "2026.4.1" of "2026.4.1-22982-abcdef". */
function versionOf(foreign: (name: FunctionName) => ForeignFunction): string {
  const version: Record<string, unknown> = {};
  foreign("version")(version);
  const { build } = version;
  if (typeof build !== "string") return "unknown";
  return /^\d+(?:\.\d+)*/u.exec(build)?.[0] ?? build;
}
