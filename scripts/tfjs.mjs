// TensorFlow.js for Node.js with libtensorflow, of the wheel in the Python package index: its own install script fetches an
// older libtensorflow from a server of its makers, and its last release knows no newer one.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { call, find, root, say } from "./setup.mjs";
import { installWheel, libraryFolder } from "./wheel.mjs";

/** Of TensorFlow.js; the engine looks for a folder of this name. */
const version = "4.22.0";
const tensorflow = "2.21.0";
const tags = { python: "311", abi: "cp311" };

/** The file that is meant on each platform, with its SHA-256. */
const wheels = {
  "linux-x64": {
    package: "tensorflow-cpu",
    version: tensorflow,
    tags: { ...tags, platform: "manylinux_2_27_x86_64" },
    sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
  },
  "linux-arm64": {
    package: "tensorflow",
    version: tensorflow,
    tags: { ...tags, platform: "manylinux_2_27_aarch64" },
    sha256: "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c",
  },
};

/** The same for an NVIDIA GPU; it looks for NVIDIA's libraries in a folder beside its own, as wheels are installed. */
const gpuWheel = {
  package: "tensorflow",
  version: tensorflow,
  tags: { ...tags, platform: "manylinux_2_27_x86_64" },
  sha256: "9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124",
};

const nvidia = (name, version, platform, sha256) => {
  return { package: `nvidia-${name}-cu12`, version, tags: { ...tags, platform }, sha256 };
};

/** What that wheel asks for of CUDA 12, but for the compiler. */
const nvidiaWheels = [
  nvidia(
    "cublas",
    "12.9.3.13",
    "manylinux_2_27_x86_64",
    "d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72",
  ),
  nvidia(
    "cuda-cupti",
    "12.9.79",
    "manylinux_2_25_x86_64",
    "096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f",
  ),
  nvidia(
    "cuda-nvrtc",
    "12.9.86",
    "manylinux2010_x86_64",
    "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4",
  ),
  nvidia(
    "cuda-runtime",
    "12.9.79",
    "manylinux2014_x86_64",
    "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
  ),
  nvidia(
    "cudnn",
    "9.28.0.42",
    "manylinux_2_27_x86_64",
    "9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375",
  ),
  nvidia(
    "cufft",
    "11.4.1.4",
    "manylinux2014_x86_64",
    "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28",
  ),
  nvidia(
    "curand",
    "10.3.10.19",
    "manylinux_2_27_x86_64",
    "49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e",
  ),
  nvidia(
    "cusolver",
    "11.7.5.82",
    "manylinux_2_27_x86_64",
    "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88",
  ),
  nvidia(
    "cusparse",
    "12.5.10.65",
    "manylinux2014_x86_64",
    "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78",
  ),
  nvidia("nccl", "2.32.3", "manylinux_2_27_x86_64", "bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c"),
  nvidia(
    "nvjitlink",
    "12.9.86",
    "manylinux2010_x86_64",
    "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9",
  ),
];

const libraries = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];
/** What the binding is compiled and runs with. */
const parts =
  /^tensorflow\/(?:libtensorflow_(?:cc|framework)\.so\.2|THIRD_PARTY_NOTICES\.txt|include\/LICENSE|include\/(?:tensorflow\/(?:c|core\/platform)|tsl\/platform|xla\/tsl\/c)\/.*\.h)$|dist-info\/METADATA$/u;

const nvidiaParts = /^nvidia\/\w+\/lib\/.*\.so(?:\.\d+)*$|dist-info\/(?:METADATA|licenses\/.*|LICENSE.*|License.*)$/u;

/**
 * Puts TensorFlow.js with its binding into the cache folder, where the engine finds it, once; with `gpu`, into another, with
 * what an NVIDIA GPU needs. Throws where that can't be done.
 */
export function installTfjs({ gpu = false } = {}) {
  const folder = libraryFolder(gpu ? `tfjs-gpu-${version}` : `tfjs-${version}`);
  if (existsSync(folder)) return { version, folder, known: true };
  const platform = `${process.platform}-${process.arch}`;
  if (gpu && platform !== "linux-x64") {
    throw new Error(`TensorFlow for NVIDIA GPUs is fetched for linux-x64, this is ${platform}`);
  }
  const own = Object.hasOwn(wheels, platform) ? wheels[platform] : undefined;
  const wheel = gpu ? gpuWheel : own;
  const compiler = find("g++") ?? find("c++");
  if (gpu && compiler === undefined) throw new Error(`TensorFlow.js ${version}: ${noCompiler}`);
  mkdirSync(dirname(folder), { recursive: true });
  const workshop = mkdtempSync(`${folder}.part-`);
  try {
    for (const file of ["package.json", "package-lock.json"]) {
      copyFileSync(join(root, "scripts", "tfjs", file), join(workshop, file));
    }
    say(`fetching TensorFlow.js ${version} from the npm registry`);
    npm(workshop, "ci", "--ignore-scripts");
    if (wheel !== undefined && compiler !== undefined) buildBinding(workshop, { wheel, compiler });
    else installBinding(workshop, platform, wheel);
    if (gpu) installNvidia(workshop);
    renameSync(workshop, folder);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  return { version, folder, known: false };
}

const noCompiler = "no C++ compiler: install one (Debian: apt-get install g++) and run this again";

/** NVIDIA's libraries beside TensorFlow's. */
function installNvidia(workshop) {
  const place = join(workshop, "libtensorflow", "nvidia");
  mkdirSync(place);
  for (const wheel of nvidiaWheels) {
    const folder = installWheel({ ...wheel, keep: (path) => nvidiaParts.test(path) }, join(workshop, wheel.package));
    for (const library of readdirSync(join(folder, "nvidia"))) {
      renameSync(join(folder, "nvidia", library), join(place, library));
    }
  }
}

/** Compiles the binding's two files against the wheel's headers and libraries: Node-API is the same in every Node.js. */
function buildBinding(workshop, { wheel, compiler }) {
  const library = installWheel({ ...wheel, keep: (path) => parts.test(path) }, join(workshop, "libtensorflow"));
  say("building the binding (g++)");
  const modules = join(workshop, "node_modules");
  const binding = join(modules, "@tensorflow", "tfjs-node", "binding");
  const place = join(modules, "@tensorflow", "tfjs-node", "lib", "napi-v8");
  mkdirSync(place, { recursive: true });
  const includes = [join(modules, "node-api-headers", "include"), join(library, "tensorflow", "include")];
  const flags = ["-O2", "-shared", "-fPIC", "-std=c++17", "-DNAPI_VERSION=8", "-DBUILDING_NODE_EXTENSION"];
  const sources = ["tfjs_backend.cc", "tfjs_binding.cc"].map((file) => join(binding, file));
  const linked = [`-L${join(library, "tensorflow")}`, ...libraries.map((file) => `-l:${file}`)];
  // From lib/napi-v8 of the package: the folder is moved when it is whole.
  const path = "-Wl,-rpath,$ORIGIN/../../../../../libtensorflow/tensorflow";
  const output = ["-o", join(place, "tfjs_binding.node")];
  const headers = includes.map((include) => `-I${include}`);
  call(compiler, [...flags, ...headers, ...sources, ...linked, path, ...output], { quiet: true });
}

/** What TensorFlow.js's makers built, with libtensorflow 2.9, where their server can be reached. */
function installBinding(workshop, platform, wheel) {
  say("fetching libtensorflow and its binding (the package's own install script)");
  try {
    npm(workshop, "rebuild", "--ignore-scripts=false", "@tensorflow/tfjs-node");
  } catch (error) {
    const missing =
      wheel === undefined
        ? `the binding is built here for ${Object.keys(wheels).join(", ")}, this is ${platform}`
        : noCompiler;
    throw new Error(
      `TensorFlow.js ${version}: ${missing}; fetching what its makers built failed too: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

function npm(folder, ...args) {
  call("npm", [...args, "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error"], { quiet: true });
}
