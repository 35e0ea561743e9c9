// Bases of the images for where none can be pulled: Debian by debootstrap, Node.js and npm by their packages in the npm registry, and
// Debian's Redis, which a test runs beside the worker. They stand in for what is pulled elsewhere; nobody should deploy them.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { call, find, say } from "./setup.mjs";

const debianRelease = "trixie";
const prefix = "slidelight-stand-in";
/** What the test of the images starts beside them. */
export const redisStandIn = `${prefix}-redis:${debianRelease}`;

/**
 * Makes what is not there yet.
 * @param bases The images that are stood in for: `DEBIAN`, and for each other name a Node.js image with its version as tag.
 * @returns The stand-ins by the same names.
 */
export function makeStandIns({ DEBIAN, ...nodes }) {
  const folder = mkdtempSync(join(tmpdir(), "slidelight-images-"));
  try {
    const debian = makeDebian(`${prefix}-debian:${tagOf(DEBIAN)}`, folder);
    const made = Object.entries(nodes).map(([name, image]) => [name, makeNode(image, { debian, folder })]);
    makeRedis(debian, folder);
    return { DEBIAN: debian, ...Object.fromEntries(made) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isThere(image) {
  return spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" }).status === 0;
}

function tagOf(image) {
  return image.slice(image.indexOf(":") + 1);
}

function makeDebian(image, folder) {
  if (isThere(image)) return image;
  if (find("debootstrap") === undefined || process.getuid?.() !== 0) {
    throw new Error(
      "making a base of Debian's packages: expected debootstrap and root (Debian: apt-get install debootstrap)",
    );
  }
  say(`making ${image} (debootstrap)`);
  const tree = join(folder, "debian");
  call("debootstrap", ["--variant=minbase", debianRelease, tree], { quiet: true });
  // As in Debian's slim images.
  for (const part of ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"]) {
    rmSync(join(tree, part), { recursive: true, force: true });
    mkdirSync(join(tree, part), { recursive: true });
  }
  const archive = join(folder, "debian.tar");
  call("tar", ["--create", "--file", archive, "--directory", tree, "."], { quiet: true });
  call("docker", ["import", archive, image], { quiet: true });
  return image;
}

function makeNode(image, { debian, folder }) {
  const stand = `${prefix}-node:${tagOf(image)}`;
  if (isThere(stand)) return stand;
  const [version] = tagOf(image).split("-");
  say(`making ${stand} (npm)`);
  const context = mkdtempSync(join(folder, "node-"));
  const packages = join(context, "packages");
  mkdirSync(packages);
  const machine = process.arch === "x64" ? "linux-x64" : "linux-arm64";
  const wanted = [`node@npm:node-${machine}@${version}`, "npm@11"];
  call(
    "npm",
    ["install", "--prefix", packages, "--no-save", "--no-package-lock", "--ignore-scripts", "--silent", ...wanted],
    {
      quiet: true,
    },
  );
  const program = join(context, "node");
  cpSync(join(packages, "node_modules", "node", "bin", "node"), program);
  chmodSync(program, 0o755);
  const lines = [
    `FROM ${debian}`,
    "COPY node /usr/local/bin/node",
    "COPY packages/node_modules/npm /usr/local/lib/node_modules/npm",
    "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm",
  ];
  build(context, { image: stand, lines });
  return stand;
}

function makeRedis(debian, folder) {
  if (isThere(redisStandIn)) return;
  say(`making ${redisStandIn} (Debian's redis-server)`);
  const context = mkdtempSync(join(folder, "redis-"));
  const lines = [
    `FROM ${debian}`,
    "RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*",
    // As in the image that it stands in for.
    "RUN install --directory --owner redis --group redis /data",
    "WORKDIR /data",
    "USER redis",
    'CMD ["redis-server", "--protected-mode", "no"]',
  ];
  build(context, { image: redisStandIn, lines });
}

function build(context, { image, lines }) {
  writeFileSync(join(context, "Dockerfile"), `${lines.join("\n")}\n`);
  call("docker", ["build", "--tag", image, context], { quiet: true, env: { DOCKER_BUILDKIT: "1" } });
}
