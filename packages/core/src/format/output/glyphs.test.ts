import { expect, test } from "vitest";
import { drawable } from "./glyphs.ts";

test.each([
  ["plain ASCII ~!", "plain ASCII ~!"],
  ["Möl Äut.png", "Mol Aut.png"],
  // As macOS spells the names of its files.
  ["Mo\u0308l", "Mol"],
  ["Größe, Ærø, Łódź, São", "Grosse, AEro, Lodz, Sao"],
  ["病理 😀", "?? ?"],
])("what there is no glyph for is written in letters that there are: %s", (text, drawn) => {
  expect(drawable(text)).toBe(drawn);
});
