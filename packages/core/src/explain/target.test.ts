import { describe, expect, it } from "vitest";
import { parseTarget, resolveTarget } from "./target.ts";

const classes = ["benign", "non-malignant", "malignant"];

describe("a target", () => {
  it("is a class by index or by name", () => {
    expect(parseTarget("2", classes)).toEqual({ kind: "class", index: 2 });
    expect(parseTarget("benign", classes)).toEqual({ kind: "class", index: 0 });
  });

  it("is a difference of two classes, also when names hold hyphens", () => {
    expect(parseTarget("2-0", classes)).toEqual({ kind: "difference", index: 2, other: 0 });
    expect(parseTarget("non-malignant-malignant", classes)).toEqual({ kind: "difference", index: 1, other: 2 });
    expect(parseTarget("non-malignant", classes)).toEqual({ kind: "class", index: 1 });
  });

  it("is a class against all others, unless a class has that name", () => {
    expect(parseTarget("non-malignant-others", classes)).toEqual({ kind: "contrast", index: 1 });
    expect(parseTarget("0-others", classes)).toEqual({ kind: "contrast", index: 0 });
    expect(parseTarget("top1-others", classes)).toEqual({ kind: "top1-contrast" });
    expect(parseTarget("top1-others", ["a", "top1-others"])).toEqual({ kind: "class", index: 1 });
    expect(parseTarget("a-others", ["a", "others"])).toEqual({ kind: "difference", index: 0, other: 1 });
    expect(() => parseTarget("0-others", ["a"])).toThrow(/classes are/u);
  });

  it("is refused with the list of classes when there is no such class", () => {
    expect(() => parseTarget("tumour", classes)).toThrow(/"tumour".*0 \("benign"\)/);
    expect(() => parseTarget("3", classes)).toThrow(/classes are/);
    expect(() => parseTarget("1-1", classes)).toThrow(/classes are/);
  });

  it("resolves top1 to the first largest logit", () => {
    const resolved = resolveTarget({ kind: "top1" }, [1, 4, 4], classes);
    expect(resolved).toEqual({ label: "non-malignant", index: 1, cotangent: Float64Array.of(0, 1, 0) });
  });

  it("sets a class against the mean of the others: with two, their difference", () => {
    const resolved = resolveTarget({ kind: "contrast", index: 1 }, [0, 0, 0], classes);
    expect(resolved).toEqual({
      label: "non-malignant-others",
      index: 1,
      cotangent: Float64Array.of(-0.5, 1, -0.5),
    });
    expect(resolveTarget({ kind: "top1-contrast" }, [0, 4, 4], classes)).toEqual(resolved);
    const difference = resolveTarget({ kind: "difference", index: 0, other: 1 }, [0, 0], classes.slice(0, 2));
    const contrast = resolveTarget({ kind: "contrast", index: 0 }, [0, 0], classes.slice(0, 2));
    expect(contrast.cotangent).toEqual(difference.cotangent);
  });

  it("gives a difference the derivative 1 and -1", () => {
    const resolved = resolveTarget({ kind: "difference", index: 2, other: 0 }, [0, 0, 0], classes);
    expect(resolved).toEqual({ label: "malignant-benign", index: 2, cotangent: Float64Array.of(-1, 0, 1) });
  });
});
