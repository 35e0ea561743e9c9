// Puts together what an image holds of the built workspace: the command, the apps that it needs, and the packages that they
// depend on, without what only developers and other machines need.
//
// node deploy/docker/assemble.mjs <image> <folder>
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/u, "");

const onnxruntime = ["onnxruntime-node"];
const wasm = ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm"];

/** The apps whose commands an image has, and the engines' packages that it can do without. */
const images = {
  "slidelight-producer": { apps: ["@slidelight/producer"], without: [...onnxruntime, ...wasm, "koffi"] },
  "slidelight-worker-cpu": { apps: ["@slidelight/worker"], without: wasm },
  "slidelight-worker-gpu-onnx": { apps: ["@slidelight/worker"], without: wasm },
  // TensorFlow.js lies beside its binding, among the native libraries.
  "slidelight-worker-gpu-tfjs": { apps: ["@slidelight/worker"], without: [...onnxruntime, ...wasm] },
};

/** What packages depend on for their install scripts, which do not run here. */
const forInstallScripts = ["adm-zip", "global-agent"];

/** Types, source maps and the sources of native parts. */
const notRun = /\.(?:d\.[cm]?ts|ts|map|cc|hh|h|inc|asm|S)$/u;
/** Folders of a package that are for its developers. */
const forDevelopers = ["test", "tests", "__tests__", "bench", "benchmarks", "example", "examples", "doc", "docs"];
/** ONNX Runtime's package has the binaries of every platform. */
const otherPlatform = new RegExp(
  `^node_modules/onnxruntime-node/(?:script$|bin/napi-v\\d+/(?!${process.platform}$|${process.platform}/${process.arch}(?:/|$))[^.]+$)`,
  "u",
);

const [image = "", folder = ""] = process.argv.slice(2);
if (!Object.hasOwn(images, image) || folder === "") {
  process.stderr.write(`Usage: assemble.mjs <${Object.keys(images).join(" | ")}> <folder>\n`);
  process.exit(2);
}
const { apps, without } = images[image];
const app = join(folder, "app");
const missing = [];
const seen = new Set();

const command = join(root, "apps", "cli");
copyWorkspace(command);
for (const name of apps) add(name, command);
if (missing.length > 0) throw new Error(`${image}: not installed: ${missing.join(", ")}`);

/** A package and all that it depends on, as `from` sees it. */
function add(name, from, { optional = false } = {}) {
  if (without.includes(name) || forInstallScripts.includes(name)) return;
  const place = find(name, from);
  if (place === undefined) {
    if (!optional) missing.push(`${name} of ${relative(root, from)}`);
    return;
  }
  if (seen.has(place)) return;
  seen.add(place);
  const real = realpathSync(place);
  if (real === place) copyPackage(place);
  else {
    copyWorkspace(real);
    const link = join(app, relative(root, place));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(place), real), link);
  }
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifestOf(real);
  for (const [group, needed] of [
    [dependencies, true],
    [optionalDependencies, false],
    [peerDependencies, false],
  ]) {
    for (const other of Object.keys(group)) add(other, real, { optional: !needed || other in optionalDependencies });
  }
}

/** As Node.js looks for it: beside, then further up. */
function find(name, from) {
  for (let at = from; at.startsWith(root); at = dirname(at)) {
    const place = join(at, "node_modules", name);
    if (existsSync(place)) return place;
  }
  return undefined;
}

function manifestOf(place) {
  return JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
}

/** What runs of a part of the workspace. */
function copyWorkspace(place) {
  for (const part of ["package.json", "bin", "dist"]) {
    if (existsSync(join(place, part))) copy(join(place, part), () => true);
  }
}

/** Packages within it are copied when something needs them. */
function copyPackage(place) {
  const left = ["node_modules", ...forDevelopers].map((name) => join(place, name));
  copy(place, (path) => !left.includes(path));
}

function copy(place, wanted) {
  const filter = (path) =>
    wanted(path) && !notRun.test(path) && !otherPlatform.test(relative(root, path)) && !path.endsWith(".tsbuildinfo");
  cpSync(place, join(app, relative(root, place)), { recursive: true, filter, verbatimSymlinks: true });
}
