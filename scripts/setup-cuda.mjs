// npm run setup:cuda: puts ONNX Runtime's CUDA and TensorRT providers and NVIDIA's CUDA 13 libraries, of wheels in the Python
// package index, into the cache folder. The driver (libcuda) and TensorRT itself come with the system.
import { copyFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { main, root, say } from "./setup.mjs";
import { installWheel, libraryFolder } from "./wheel.mjs";

/** Of the npm package onnxruntime-node: providers work with the runtime of their own version alone. */
const version = "1.30.0";

/** What the providers' wheel asks for, with each file's SHA-256. */
const wheels = [
  {
    package: "onnxruntime-gpu",
    version,
    platform: "manylinux_2_28_x86_64",
    sha256: "4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa",
  },
  {
    package: "nvidia-cuda-runtime",
    version: "13.5.37",
    platform: "manylinux2014_x86_64",
    sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
  },
  {
    package: "nvidia-cuda-nvrtc",
    version: "13.5.37",
    platform: "manylinux2010_x86_64",
    sha256: "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc",
  },
  {
    package: "nvidia-nvjitlink",
    version: "13.5.37",
    platform: "manylinux2010_x86_64",
    sha256: "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb",
  },
  {
    package: "nvidia-cublas",
    version: "13.10.0.20",
    platform: "manylinux1_x86_64",
    sha256: "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84",
  },
  {
    package: "nvidia-curand",
    version: "10.4.5.25",
    platform: "manylinux_2_27_x86_64",
    sha256: "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529",
  },
  {
    package: "nvidia-cufft",
    version: "12.5.0.14",
    platform: "manylinux2014_x86_64",
    sha256: "b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad",
  },
  {
    package: "nvidia-cudnn-cu13",
    version: "9.28.1.4",
    platform: "manylinux_2_27_x86_64",
    sha256: "a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec",
  },
];

const providers = /onnxruntime\/capi\/libonnxruntime_providers_\w+\.so$/u;
const libraries = /^nvidia\/.*\.so(?:\.\d+)*$/u;
const licences =
  /dist-info\/(?:METADATA|licenses\/.*|LICENSE.*|License.*)$|^onnxruntime\/(?:LICENSE|ThirdPartyNotices\.txt)$/u;
const needed = (path) => providers.test(path) || libraries.test(path) || licences.test(path);

await main(() => {
  const platform = `${process.platform}-${process.arch}`;
  if (platform !== "linux-x64") {
    throw new Error(`the CUDA libraries are fetched for linux-x64, this is ${platform}`);
  }
  const manifest = join(root, "node_modules", "onnxruntime-node", "package.json");
  const installed = JSON.parse(readFileSync(manifest, "utf8")).version;
  if (installed !== version) {
    throw new Error(`expected onnxruntime-node ${version}, whose providers are known here, got ${installed}`);
  }
  const folder = libraryFolder(`onnxruntime-gpu-${version}`);
  for (const { package: name, version: release, platform: tag, sha256 } of wheels) {
    const tags = { python: "311", abi: "cp311", platform: tag };
    installWheel({ package: name, version: release, sha256, tags, keep: needed }, join(folder, name));
  }
  // ONNX Runtime looks for its providers beside itself. A copy beside them, rather than them in node_modules: `npm ci`
  // empties that. It comes last, and says that all is there.
  const runtime = "libonnxruntime.so.1";
  const place = join(folder, "onnxruntime-gpu", "onnxruntime", "capi", runtime);
  if (!existsSync(place)) {
    copyFileSync(join(dirname(manifest), "bin", "napi-v6", "linux", "x64", runtime), `${place}.part`);
    renameSync(`${place}.part`, place);
  }
  say(
    `the CUDA libraries are there: ${folder}. The NVIDIA driver (release 580 or later, for CUDA 13) comes with the system`,
  );
  return 0;
});
