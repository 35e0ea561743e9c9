// npm run demo: a tissue slide and a few small images, queued and explained by one worker; ends with where the pictures are.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { ensureRedis, find, main, root, say, setUp } from "./setup.mjs";

const out = join(root, "demo-out");
const store = join(out, "store");
const maps = join(out, "maps");
const model = join(root, "models", "demo-unet.onnx");
const cli = join(root, "apps/cli/bin/slidelight.js");
const slide = { width: 4096, height: 4096, seed: 7, atypical: 0.3, glass: true };
const smallImages = 4;
const smallSide = 512;

await main(async () => {
  setUp();
  await makeStore();
  const noRedis = ensureRedis();
  if (noRedis === undefined) await byQueue();
  else {
    say(`without Redis there is no queue: the images are explained one after the other. ${noRedis}`);
    await slidelight(["explain", "slides/", "small/", ...jobFlags()], { allow: [0, 1] });
  }
  printResults();
  if (noRedis !== undefined) process.stdout.write(`\nLeft out: enqueue, worker, watch. To see them: ${noRedis}.\n`);
  return 0;
});

function jobFlags() {
  return ["--model", model, "--method", "cam", "--out", maps];
}

/** The images, made once for each version of their recipe. */
async function makeStore() {
  const recipe = createHash("sha256").update(JSON.stringify([slide, smallImages, smallSide]));
  for (const name of readdirSync(join(root, "packages/synthesis/src")).sort()) {
    if (!name.endsWith(".test.ts")) recipe.update(readFileSync(join(root, "packages/synthesis/src", name)));
  }
  const version = recipe.digest("hex");
  const stamp = join(out, "store.stamp");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === version) return;
  say("making a tissue slide of 4096 x 4096 pixels and small images in demo-out/store");
  for (const folder of ["slides", "masks", "small"]) mkdirSync(join(store, folder), { recursive: true });
  // From the workspace's build; the set-up came before.
  const { renderTissue, writeTissueSlide } = await import(
    new URL("../packages/synthesis/dist/index.js", import.meta.url).href
  );
  await writeTissueSlide(join(store, "slides", "tissue.tif"), join(store, "masks", "tissue.tif"), slide);
  const { default: sharp } = await import("sharp");
  for (let index = 0; index < smallImages; index += 1) {
    const { rgb } = renderTissue(
      { x: 0, y: 0, width: smallSide, height: smallSide },
      { seed: 100 + index, atypical: index / smallImages },
    );
    const raw = { width: smallSide, height: smallSide, channels: 3 };
    await sharp(rgb, { raw })
      .png()
      .toFile(join(store, "small", `cells-${index + 1}.png`));
  }
  writeFileSync(stamp, version);
}

/** A Redis of its own, one worker; both end with the demo. */
async function byQueue() {
  const folder = mkdtempSync(join(tmpdir(), "slidelight-demo-"));
  const children = [];
  const stop = () => {
    for (const child of children.splice(0).reverse()) child.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("SIGINT", () => {
    stop();
    process.exit(130);
  });
  try {
    const port = await freePort();
    say(`starting a Redis of its own (port ${port})`);
    const redis = spawn(
      find("redis-server"),
      ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
      {
        stdio: "ignore",
      },
    );
    children.push(redis);
    const env = { REDIS_URL: `redis://127.0.0.1:${port}` };
    await listening(port);
    say("slidelight enqueue slides/ small/   (in demo-out/store)");
    await slidelight(["enqueue", "slides/", "small/", ...jobFlags()], { env });
    say("slidelight worker & slidelight watch");
    const log = join(out, "worker.log");
    writeFileSync(log, "");
    const worker = spawn(process.execPath, [cli, "worker", "--port", "0"], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    children.push(worker);
    worker.stderr.on("data", (text) => writeFileSync(log, text, { flag: "a" }));
    const ended = new Promise((resolve) => worker.once("close", resolve));
    const broke = ended.then((code) => {
      throw new Error(`The worker ended early (${code}); its log is ${relative(root, log)}.`);
    });
    broke.catch(() => undefined);
    await Promise.race([slidelight(["watch", "--until-empty"], { env, allow: [0, 1] }), broke]);
    worker.kill("SIGTERM");
    await ended;
  } finally {
    stop();
  }
}

function slidelight(args, { env = {}, allow = [0] } = {}) {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: store,
    env: { ...process.env, ...env },
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (allow.includes(code)) resolve();
      else reject(new Error(`slidelight ${args.join(" ")} ended with status ${code}`));
    });
  });
}

/** What the manifests say: nothing else is trusted. */
function printResults() {
  const rows = [];
  let description = "";
  const digest = createHash("sha256").update(readFileSync(model)).digest("hex");
  const names = existsSync(maps) ? readdirSync(maps, { recursive: true }) : [];
  for (const name of names.filter((path) => path.endsWith("manifest.json")).sort(byName)) {
    const manifest = JSON.parse(readFileSync(join(maps, name), "utf8"));
    // An earlier demo had another model.
    if (manifest.model.sha256 !== digest) continue;
    const folder = join("demo-out/maps", name, "..");
    description = manifest.model.description ?? description;
    const { width, height, source } = manifest.image;
    const target = manifest.classes.find((entry) => entry.name === manifest.target);
    const seconds = manifest.provenance.seconds.total ?? 0;
    rows.push([
      source.startsWith("/") ? relative(store, source) : source,
      `${width} x ${height}`,
      `${manifest.target} ${target === undefined ? "" : target.probability.toFixed(3)}`,
      `${seconds.toFixed(1)} s`,
      join(folder, "preview.jpg"),
    ]);
  }
  if (rows.length === 0) throw new Error("No image was explained; demo-out/worker.log says why.");
  const table = [["image", "size", "target", "time", "picture"], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  process.stdout.write("\n");
  for (const row of table) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd()}\n`,
    );
  }
  process.stdout.write(
    "\nBeside each picture: map.tif (opens in QuPath) and manifest.json. The slide's true mask: demo-out/store/masks/tissue.tif\n",
  );
  if (description !== "")
    process.stdout.write(`The model: ${description} (npm run demo:model); red speaks for the class.\n`);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function listening(port) {
  const { connect } = await import("node:net");
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const ok = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Redis did not start on port ${port}.`);
}

function byName(a, b) {
  return a < b ? -1 : 1;
}
