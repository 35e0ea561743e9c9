// OpenVINO's C library, of the wheel in the Python package index.
import { existsSync } from "node:fs";
import { installWheel, libraryFolder } from "./wheel.mjs";

const version = "2026.4.1";
const tags = { python: "311", abi: "cp311" };

/** The file that is meant on each platform, with its SHA-256. */
const wheels = {
  "linux-x64": {
    platform: "manylinux_2_28_x86_64",
    sha256: "2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf",
  },
  "linux-arm64": {
    platform: "manylinux_2_35_aarch64",
    sha256: "bea1eb3733c34ef331adc945da0ccda5937865031139073663be84c517ffda22",
  },
  "darwin-arm64": {
    platform: "macosx_11_0_arm64",
    sha256: "d3740853691ae4a9003bc3417a4625d848e2cc3251af4b815c59199b38be252a",
  },
};

/** What the engine needs: the core, the CPU and GPU plugins, the ONNX reader, and what they are linked with. */
const parts =
  /^openvino\/libs\/lib(?:openvino\.|openvino_c\.|openvino_onnx_frontend|openvino_(?:intel|arm)_[cg]pu_plugin|tbb|hwloc)/u;
const licences = /dist-info\/(?:METADATA|licenses\/)/u;

/** Puts the library into the cache folder, where the engine finds it, once. Throws where that can't be done. */
export function installOpenVino() {
  const folder = libraryFolder(`openvino-${version}`);
  const known = existsSync(folder);
  const platform = `${process.platform}-${process.arch}`;
  const wheel = Object.hasOwn(wheels, platform) ? wheels[platform] : undefined;
  if (!known && wheel === undefined) {
    throw new Error(
      `OpenVINO ${version} is fetched for ${Object.keys(wheels).join(", ")}, this is ${platform}: install it by hand and name its C library in SLIDELIGHT_OPENVINO`,
    );
  }
  if (!known) {
    installWheel(
      {
        package: "openvino",
        version,
        sha256: wheel.sha256,
        tags: { ...tags, platform: wheel.platform },
        keep: (path) => parts.test(path) || licences.test(path),
      },
      folder,
    );
  }
  return { version, folder, known };
}

/** Why the library is not there; `undefined` where it is, or where it could be fetched. */
export function ensureOpenVino() {
  try {
    installOpenVino();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
