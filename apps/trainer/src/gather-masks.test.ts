import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlidelightError } from "@slidelight/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadEvaluateConfig } from "./evaluate-config.ts";
import { gatherMasks } from "./gather-masks.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-masks-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function gather(text: string): ReturnType<typeof gatherMasks> {
  await writeFile(join(folder, "table.csv"), text);
  return gatherMasks("table.csv", ["normal", "7", "tumour"], { folder });
}

describe("gathering images with masks", () => {
  it("takes labels by name, else by number, and masks that are empty", async () => {
    const text =
      "mask,Image,label,part\nm/1.png,i/1.png,tumour,test\n,/far/2.png,7,\n,s3://bucket/3.png,0,\n,s3://bucket/3.png,0,\n";
    expect(await gather(text)).toEqual([
      {
        uri: join(folder, "i/1.png"),
        name: "i/1.png",
        label: 2,
        mask: { uri: join(folder, "m/1.png"), name: "m/1.png" },
      },
      { uri: "/far/2.png", name: "/far/2.png", label: 1 },
      { uri: "s3://bucket/3.png", name: "s3://bucket/3.png", label: 0 },
    ]);
  });

  it.each([
    ["no masks", "image,label\na.png,normal\n", /columns image, label and mask, got image, label\./u],
    ["nothing", "", /got nothing/u],
    ["no rows", "image,label,mask\n", /a line for each image, got none/u],
    ["no label", "image,label,mask\na.png,,\n", /line 2: expected an image and a label/u],
    ["two masks of an image", "image,label,mask\na.png,7,m.png\na.png,7,n.png\n", /line 3: a\.png was named before/u],
    ["two labels of an image", "image,label,mask\na.png,7,\na.png,normal,\n", /line 3: a\.png was named before/u],
    [
      "labels that the model does not know",
      "image,label,mask\na.png,stroma,\nb.png,stroma,\nc.png,3,\nd.png,7,\n",
      /normal, 7, tumour; got "stroma" \(2 lines\), "3" \(1 line\)/u,
    ],
  ])("refuses a table with %s", async (_, text, message) => {
    await expect(gather(text)).rejects.toMatchObject({
      code: "evaluation-data",
      message: expect.stringMatching(message),
    });
  });
});

describe("the options of evaluate", () => {
  it("are told with all their faults in one message", () => {
    const flags = {
      methods: "cam,x",
      magnitude: "x",
      target: "tumour",
      sample: "-1",
      steps: "0",
      randomise: "on",
      std: "1",
    };
    let message = "";
    try {
      loadEvaluateConfig({}, flags);
    } catch (error) {
      message = error instanceof SlidelightError && error.code === "usage" ? error.message : "";
    }
    for (const name of ["model", ...Object.keys(flags)]) expect(message).toContain(`--${name} `);
    expect(message).not.toContain("Invalid");
  });

  it("name methods once, and the layers that are randomised", () => {
    const config = loadEvaluateConfig({}, { model: "m.onnx", methods: "cam, saliency,cam", randomise: "cascade" });
    expect(config).toMatchObject({
      methods: ["cam", "saliency"],
      magnitude: ["input-x-gradient"],
      randomise: [0.25, 0.5, 0.75, 1],
    });
    expect(loadEvaluateConfig({}, { model: "m.onnx", magnitude: "none" }).magnitude).toEqual([]);
  });
});
