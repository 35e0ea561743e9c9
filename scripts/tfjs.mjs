// TensorFlow.js for Node.js with libtensorflow, of the wheel in the Python package index: its own install script fetches an
// older libtensorflow from a server of its makers, and its last release knows no newer one.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
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
    platform: "manylinux_2_27_x86_64",
    sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
  },
  "linux-arm64": {
    package: "tensorflow",
    platform: "manylinux_2_27_aarch64",
    sha256: "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c",
  },
};

const libraries = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];
/** What the binding is compiled and runs with. */
const parts =
  /^tensorflow\/(?:libtensorflow_(?:cc|framework)\.so\.2|THIRD_PARTY_NOTICES\.txt|include\/LICENSE|include\/(?:tensorflow\/(?:c|core\/platform)|tsl\/platform|xla\/tsl\/c)\/.*\.h)$|dist-info\/METADATA$/u;

/** Puts TensorFlow.js with its binding into the cache folder, where the engine finds it, once. Throws where that can't be done. */
export function installTfjs() {
  const folder = libraryFolder(`tfjs-${version}`);
  if (existsSync(folder)) return { version, tensorflow, folder, known: true };
  const platform = `${process.platform}-${process.arch}`;
  const wheel = Object.hasOwn(wheels, platform) ? wheels[platform] : undefined;
  const compiler = find("g++") ?? find("c++");
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
    renameSync(workshop, folder);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  return { version, tensorflow, folder, known: false };
}

/** Compiles the binding's two files against the wheel's headers and libraries: Node-API is the same in every Node.js. */
function buildBinding(workshop, { wheel, compiler }) {
  const library = join(workshop, "libtensorflow");
  const keep = (path) => parts.test(path);
  const { package: name, platform, sha256 } = wheel;
  installWheel({ package: name, version: tensorflow, sha256, tags: { ...tags, platform }, keep }, library);
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
        : "no C++ compiler: install one (Debian: apt-get install g++) and run this again";
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
