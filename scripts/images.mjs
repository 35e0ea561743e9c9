// npm run images: builds the container images of deploy/docker. docs/operations.md ("Images") tells what is in them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { call, dockerAnswers, main, root, say } from "./setup.mjs";
import { makeStandIns } from "./stand-in-images.mjs";

const dockerfile = "deploy/docker/Dockerfile";
const targets = [
  "slidelight-producer",
  "slidelight-worker-cpu",
  "slidelight-worker-gpu-onnx",
  "slidelight-worker-gpu-tfjs",
];

const usage = `npm run images -- [options] [image…]
  images                    ${targets.join(", ")} (all)
  --prefix <registry/path>  before the names, such as ghcr.io/example
  --tag <tag>               of the images (the version: ${version()})
  --source <url>            of the label that names the source code
  --debian, --node, --node-tfjs <image>   the bases, pinned by digest or of a mirror (deploy/docker/Dockerfile)
  --certificates <pem>      trusted by npm and pip in the build, kept in no image (NODE_EXTRA_CA_CERTS)
  --npmrc, --pip-conf <file>  addresses of mirrors, kept in no image
  --network <name>          of the build, such as host
  --stand-in                bases made of Debian's packages and npm's instead of pulled ones: to try the images where no registry is`;

await main(() => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prefix: { type: "string" },
      tag: { type: "string", default: version() },
      source: { type: "string", default: "unknown" },
      debian: { type: "string" },
      node: { type: "string" },
      "node-tfjs": { type: "string" },
      certificates: { type: "string", default: process.env.NODE_EXTRA_CA_CERTS },
      npmrc: { type: "string" },
      "pip-conf": { type: "string" },
      network: { type: "string" },
      "stand-in": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const unknown = positionals.find((name) => !targets.includes(name));
  if (values.help || unknown !== undefined) {
    if (unknown !== undefined) process.stderr.write(`✗ There is no image "${unknown}".\n`);
    process.stderr.write(`${usage}\n`);
    return values.help ? 0 : 2;
  }
  requireEngine();
  const lent = { certificates: values.certificates, npmrc: values.npmrc, pip: values["pip-conf"] };
  for (const [name, file] of Object.entries(lent)) {
    if (file !== undefined && !existsSync(file))
      throw new Error(`lending ${name} to the build: expected a file, found no ${file}`);
  }
  const bases = values["stand-in"] ? makeStandIns(basesOf(dockerfile)) : {};
  const given = { DEBIAN: values.debian, NODE: values.node, NODE_TFJS: values["node-tfjs"] };
  const parameters = {
    ...bases,
    ...Object.fromEntries(Object.entries(given).filter(([, image]) => image !== undefined)),
    VERSION: version(),
    REVISION: revision(),
    SOURCE: values.source,
  };
  const prefix = values.prefix === undefined ? "" : `${values.prefix.replace(/\/$/u, "")}/`;
  for (const target of positionals.length > 0 ? positionals : targets) {
    const image = `${prefix}${target}:${values.tag}`;
    say(`building ${image}`);
    const args = ["build", "--file", dockerfile, "--target", target, "--tag", image];
    for (const [name, value] of Object.entries(parameters)) args.push("--build-arg", `${name}=${value}`);
    for (const [name, file] of Object.entries(lent)) {
      if (file !== undefined) args.push("--secret", `id=${name},src=${file}`);
    }
    if (values.network !== undefined) args.push("--network", values.network);
    call("docker", [...args, "."], { env: { DOCKER_BUILDKIT: "1" } });
    process.stdout.write(`${image}  ${megabytes(image)} MB\n`);
  }
  return 0;
});

/** @throws {Error} that says what is missing. */
function requireEngine() {
  const engines =
    "Docker 23 or later (https://docs.docker.com/engine/install; Debian: apt-get install docker.io docker-buildx)";
  if (!dockerAnswers()) {
    throw new Error(
      `building images: expected a container engine that answers "docker info", found none. Install ${engines}, and start it`,
    );
  }
  const help = spawnSync("docker", ["build", "--help"], {
    encoding: "utf8",
    env: { ...process.env, DOCKER_BUILDKIT: "1" },
  });
  if (help.status !== 0 || !help.stdout.includes("--secret")) {
    throw new Error(
      `building images: expected BuildKit, which this docker lacks (its plugin buildx). Install ${engines}`,
    );
  }
}

function version() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/** Of the sources, as far as git knows it; marked where they differ from it. */
function revision() {
  const git = (...args) => spawnSync("git", args, { cwd: root, encoding: "utf8" });
  const head = git("rev-parse", "HEAD");
  if (head.status !== 0) return "unknown";
  return `${head.stdout.trim()}${git("status", "--porcelain").stdout.trim() === "" ? "" : "-dirty"}`;
}

/** The bases that a Dockerfile names, by their build arguments. */
function basesOf(file) {
  const text = readFileSync(join(root, file), "utf8");
  const lines = text.matchAll(/^ARG (DEBIAN|NODE|NODE_TFJS)=(\S+)$/gmu);
  return Object.fromEntries([...lines].map(([, name, image]) => [name, image]));
}

function megabytes(image) {
  const bytes = Number(call("docker", ["image", "inspect", "--format", "{{.Size}}", image], { quiet: true }));
  return Math.round(bytes / 1e6);
}
