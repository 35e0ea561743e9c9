import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatherImages } from "./gather-images.ts";
import { chooseClasses } from "./plan-training.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-gather-"));
  const names = [
    "set/b/2.JPG",
    "set/a/deep/1.png",
    "set/a/notes.txt",
    "set/stray.png",
    "one/only/x.png",
    "loose/y.png",
  ];
  for (const name of names) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), "");
  }
  await mkdir(join(folder, "empty"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const gather = (source: string) => gatherImages(source, { folder });

async function table(text: string): Promise<ReturnType<typeof gather>> {
  await writeFile(join(folder, "set", "table.csv"), text);
  return gather("set/table.csv");
}

describe("gathering images", () => {
  it("takes a folder's folders for classes, with everything below them", async () => {
    expect(await gather("set")).toEqual([
      { uri: join(folder, "set/a/deep/1.png"), name: "a/deep/1.png", label: "a" },
      { uri: join(folder, "set/b/2.JPG"), name: "b/2.JPG", label: "b" },
    ]);
  });

  it("reads a table, whose paths are relative to itself", async () => {
    const text =
      '\uFEFFLabel, image ,note\r\nodd,"b/2.JPG","x, ""y"""\r\n\r\nplain,/far/z.png,\r\nplain,s3://bucket/k.png,\r\n';
    expect(await table(text)).toEqual([
      { uri: "/far/z.png", name: "/far/z.png", label: "plain" },
      { uri: join(folder, "set/b/2.JPG"), name: "b/2.JPG", label: "odd" },
      { uri: "s3://bucket/k.png", name: "s3://bucket/k.png", label: "plain" },
    ]);
  });

  it("takes what a table says that images are for", async () => {
    const entries = await table("image,label,part\nb/2.JPG,x,validation\na/deep/1.png,y,Train\n");
    expect(entries.map(({ part }) => part)).toEqual(["training", "validation"]);
  });

  it("takes an image that is named twice once", async () => {
    expect(await table("image,label\nb/2.JPG,x\n./b/2.JPG,x\na/deep/1.png,y\n")).toHaveLength(2);
  });

  it.each([
    ["empty", /got no image\./u],
    ["nowhere", /nowhere failed: expected a folder, and there is none\./u],
    ["set/stray.png", /stray\.png failed: expected a folder, and there is none\./u],
    ["loose", /got 1 images in no class's folder/u],
    ["nowhere.csv", /nowhere\.csv/u],
  ])("refuses %s", async (source, message) => {
    await expect(gather(source)).rejects.toThrow(message);
  });

  it.each([
    ["no columns of these names", "file,label\na.png,b\n", /columns image and label, got file, label/u],
    ["nothing", "", /got nothing/u],
    ["no rows", "image,label\n", /a line for each image, got none/u],
    ["two labels of an image", "image,label\nb/2.JPG,x\nb/2.JPG,y\n", /line 3: b\/2\.JPG is "y" here and "x" before/u],
    [
      "another part",
      "image,label,part\nb/2.JPG,x,train\na/deep/1.png,y,test\n",
      /line 3: expected the part .* got "test"/u,
    ],
    [
      "two parts of an image",
      "image,label,part\nb/2.JPG,x,train\nb/2.JPG,x,val\n",
      /line 3: b\/2\.JPG is for training/u,
    ],
    ["no label", "image,label\nb/2.JPG,\n", /line 2: expected an image and a label/u],
    ["a row of another length", "image,label\nb/2.JPG,x,z\n", /line 2/u],
  ])("refuses a table with %s", async (_, text, message) => {
    await expect(table(text)).rejects.toMatchObject({ code: "training-data", message: expect.stringMatching(message) });
  });
});

describe("choosing classes", () => {
  const entries = ["b", "a", "c", "a"].map((label, index) => ({ uri: `${index}`, name: `${index}`, label }));

  it("takes all, sorted by name, or those that are asked for, in their order", () => {
    expect(chooseClasses(entries, { wanted: undefined, source: "x" }).classes).toEqual(["a", "b", "c"]);
    const { classes, chosen } = chooseClasses(entries, { wanted: ["c", "a"], source: "x" });
    expect([classes, chosen.map(({ label }) => label)]).toEqual([
      ["c", "a"],
      ["a", "c", "a"],
    ]);
  });

  it("refuses one class alone, and classes without images", () => {
    const one = entries.filter(({ label }) => label === "a");
    expect(() => chooseClasses(one, { wanted: undefined, source: "x" })).toThrow(/got one \("a"\)/u);
    expect(() => chooseClasses(entries, { wanted: ["a", "z"], source: "x" })).toThrow(
      /images of z, got none; there are a, b, c/u,
    );
  });
});
