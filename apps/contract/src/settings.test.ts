import { describe, expect, it } from "vitest";
import { settingsSchema } from "./settings.ts";

/** Every fault, with the option that it is about. */
function faultsOf(values: Readonly<Record<string, unknown>>): readonly string[] {
  const { error } = settingsSchema.safeParse(values);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

describe("the settings of an explanation", () => {
  it.each(["abc", "1.5", "0", "-1", ""])("refuse a tile of %j, and say what it may be", (tile) => {
    expect(faultsOf({ tile })).toEqual(["tile: expected fastest, or a number of pixels: an integer from 1"]);
  });

  it("take a tile as a number of pixels or as fastest", () => {
    expect(settingsSchema.parse({ tile: "512" })).toMatchObject({ tile: 512 });
    expect(settingsSchema.parse({ tile: "fastest" })).toMatchObject({ tile: "fastest" });
  });

  it("have each method and target once, in the order in which they came first", () => {
    const settings = settingsSchema.parse({ method: ["cam,saliency", "cam"], target: "1, top1,1,0-1" });
    expect(settings).toMatchObject({ methods: ["cam", "saliency"], targets: ["1", "top1", "0-1"] });
  });

  it("refuse an empty target and an empty layer in words of their own", () => {
    expect(faultsOf({ target: "", layer: "" })).toEqual([
      expect.stringMatching(/^target.*: expected one or more targets/u),
      expect.stringMatching(/^layer: expected the name of a layer/u),
    ]);
  });
});
