import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openOnnx } from "../packages/core/src/format/onnx/onnx-file.ts";
import { temporaryName } from "../packages/core/src/io/temporary-name.ts";
import { slidelight, start } from "./slidelight.ts";

let folder = "";

/** Noise of some size; those of class "spot" have a bright square somewhere. */
async function writeSample(path: string, index: number): Promise<void> {
  const side = 16 + (index % 3) * 5;
  const data = Uint8Array.from({ length: side * side * 3 }, (_, at) => ((at + 7) * (at + index * 31) * 13) % 97);
  const corner = (index * 5) % (side - 5);
  if (path.includes("spot")) {
    for (let at = 0; at < 75; at += 1) data[((corner + Math.floor(at / 15)) * side + corner) * 3 + (at % 15)] = 250;
  }
  await sharp(data, { raw: { width: side, height: side, channels: 3 } }).toFile(path);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-train-"));
  for (const label of ["plain", "spot"]) {
    await mkdir(join(folder, "images", label), { recursive: true });
    for (let index = 0; index < 12; index += 1) {
      await writeSample(join(folder, "images", label, `${index}.${index % 2 === 0 ? "png" : "webp"}`), index);
    }
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const small = ["--depth", "1", "--base-channels", "2", "--batch", "4", "--engine", "onnxruntime", "--threads", "1"];
const train = (...args: readonly string[]) => slidelight(["train", ...args, ...small], { folder });
const filesOf = async (name: string): Promise<readonly string[]> => (await readdir(join(folder, name))).toSorted();

describe("slidelight train", () => {
  test("trains from a table, leaves out what it can't read, and writes a model that explain takes", async () => {
    await writeFile(join(folder, "images", "broken.png"), "no image");
    const rows = ["plain", "spot"].flatMap((label) =>
      Array.from(
        { length: 12 },
        (_, index) =>
          `images/${label}/${index}.${index % 2 === 0 ? "png" : "webp"},${label},"a, b",${index < 9 ? "training" : "validation"}`,
      ),
    );
    const table = [
      "Image,Label,Remark,Part",
      ...rows,
      "images/broken.png,spot,,training",
      "images/gone.png,plain,,val",
    ].join("\r\n");
    await writeFile(join(folder, "all.csv"), `\uFEFF${table}\n`);
    const args = [
      "all.csv",
      "--out",
      "models/spots.onnx",
      "--epochs",
      "3",
      "--mpp",
      "0.5",
      "--json",
      "--patience",
      "0",
    ];
    const { status, stdout, stderr } = await train(...args);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toMatch(/2 images are left out:[^]*image-not-an-image[^]*epoch 3\/3 {2}loss [\d.]+/u);
    expect(JSON.parse(stdout)).toMatchObject({
      model: "models/spots.onnx",
      report: "models/spots.report.html",
      classes: [
        { name: "plain", images: 12 },
        { name: "spot", images: 12 },
      ],
      images: { training: 18, validation: 6 },
      skipped: [
        { image: "images/broken.png", code: "image-not-an-image" },
        { image: "images/gone.png", code: "image-not-found" },
      ],
      history: [{ epoch: 1 }, { epoch: 2 }, { epoch: 3 }],
    });
    // No checkpoint is left beside them.
    expect(await filesOf("models")).toEqual(["spots.onnx", "spots.report.html"]);
    const { metadata } = openOnnx(await readFile(join(folder, "models/spots.onnx")), { uri: "spots.onnx" });
    expect(metadata).toMatchObject({
      "slidelight.classes": '["plain","spot"]',
      "slidelight.mpp": "0.5",
      "slidelight.mean": "0.5,0.5,0.5",
      "slidelight.std": "0.25,0.25,0.25",
    });
    expect(JSON.parse(metadata["slidelight.training"] ?? "")).toMatchObject({
      classes: { plain: 12, spot: 12 },
      skipped: 2,
      settings: { seed: 1, epochs: 3, network: { encoderLoss: 1, unet: { depth: 1 } } },
    });
    const report = await readFile(join(folder, "models/spots.report.html"), "utf8");
    expect(report.match(/<svg /gu)?.length).toBe(4);
    expect(report).toContain("images/gone.png");

    const inspected = await slidelight(["inspect", "models/spots.onnx"], { folder });
    expect(inspected.stdout).toMatch(/pool {9}generalised mean, p = [^]*tiling {7}exact/u);
    const explained = await slidelight(
      ["explain", "images/spot/0.png", "--model", "models/spots.onnx", "--out", "out", "--engine", "onnxruntime"],
      { folder },
    );
    expect(explained).toMatchObject({ status: 0 });
  });

  test("goes on after Ctrl-C as if it had never stopped: the same bytes", async () => {
    const args = ["images", "--epochs", "40", "--patience", "0"];
    expect(await train(...args, "--out", "whole/m.onnx", "--quiet")).toMatchObject({ status: 0, stderr: "" });
    const command = ["train", ...args, "--out", "parts/m.onnx", ...small];
    await using running = start(command, { folder });
    await running.line("epoch  2/40");
    running.kill("SIGINT");
    expect(await running.outcome).toMatchObject({ status: 130, stderr: expect.stringContaining("--resume") });
    expect(await filesOf("parts")).toEqual(["m.onnx.checkpoint"]);

    // Neither lost by accident, nor mixed with another training.
    expect(await slidelight(command, { folder })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--restart"),
    });
    expect(await slidelight([...command, "--resume", "--seed", "2"], { folder })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/checkpoint-invalid[^]*seed: 1 then, 2 now/u),
    });

    // As a process that is gone leaves behind when it is killed in the midst of a write.
    await writeFile(join(folder, "parts", temporaryName().replace(`-${process.pid}-`, "-999999999-")), "half");
    await using killed = start([...command, "--resume"], { folder });
    await killed.line("epoch  9/40");
    killed.kill("SIGKILL");
    await killed.outcome;
    expect(await slidelight([...command, "--resume"], { folder })).toMatchObject({ status: 0 });
    expect(await filesOf("parts")).toEqual(["m.onnx", "m.report.html"]);
    for (const name of ["m.onnx", "m.report.html"]) {
      const [whole, parts] = await Promise.all(["whole", "parts"].map((place) => readFile(join(folder, place, name))));
      expect(parts?.equals(whole ?? Buffer.alloc(0))).toBe(true);
    }
  });

  test("finds out before it reads the images that its place can't be written to, or that there are none", async () => {
    await writeFile(join(folder, "file"), "no folder");
    for (const out of ["/proc/m.onnx", "file/m.onnx"]) {
      const refused = await train("images", "--out", out, "--json");
      expect(refused).toMatchObject({
        status: 1,
        stdout: "",
        stderr: expect.stringMatching(/Writing .*m\.onnx\.trial failed/u),
      });
      // What is told once the images were read.
      expect(refused.stderr).not.toContain("24 images");
    }
    expect(await train("nofolder", "--out", "nowhere/m.onnx")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\[image-not-found\] .*nofolder failed: expected a folder, and there is none/u),
    });
    expect(await readdir(folder)).not.toContain("nowhere");
  });

  test("stops when the loss is not finite, keeps what was good, and says what to try", async () => {
    const args = ["images", "--out", "wild/m.onnx", "--epochs", "2", "--warm-up", "0"];
    const wild = await train(...args, "--learning-rate", "1e30");
    expect(wild).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/--resume --learning-rate[^]*\[training-diverged\]/u),
    });
    expect(await filesOf("wild")).toEqual(["m.onnx.checkpoint"]);
    expect(await train(...args, "--resume")).toMatchObject({ status: 0 });
    expect(await filesOf("wild")).toEqual(["m.onnx", "m.report.html"]);
  });

  test("stops where the disk is full with its last whole checkpoint, and goes on when there is room", async ({
    skip,
  }) => {
    const disk = join(folder, "disk");
    const mount = (options: string): boolean =>
      spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk], { stdio: "ignore" }).status === 0;
    await mkdir(disk);
    if (process.platform !== "linux" || !mount("size=16k")) {
      skip("a small file system can't be mounted here");
      return;
    }
    try {
      const args = ["images", "--out", "disk/m.onnx", "--epochs", "2"];
      // Room for one checkpoint, and not for the next one beside it.
      const full = await train(...args);
      expect(full).toMatchObject({ status: 1, stderr: expect.stringContaining("[output-unwritable]") });
      expect(await filesOf("disk")).toEqual(["m.onnx.checkpoint"]);
      mount("remount,size=1m");
      expect(await train(...args, "--resume")).toMatchObject({ status: 0 });
      expect(await filesOf("disk")).toEqual(["m.onnx", "m.report.html"]);
    } finally {
      spawnSync("umount", ["--lazy", disk]);
    }
  });
});
