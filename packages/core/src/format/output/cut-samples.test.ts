import { expect, test } from "vitest";
import { cutSamples } from "./cut-samples.ts";

const whole = { x: 10, y: 20, width: 7, height: 5 };

test.each([
  whole,
  { x: 10, y: 20, width: 3, height: 2 },
  { x: 12, y: 21, width: 4, height: 3 },
  { x: 16, y: 24, width: 1, height: 1 },
  { x: 10, y: 22, width: 7, height: 3 },
])("a part's samples are those of its pixels: $x, $y, $width x $height", (part) => {
  const data = Uint16Array.from({ length: 35 }, (_, index) => index);
  const expected = Array.from({ length: part.width * part.height }, (_, index) => {
    const [row, column] = [Math.floor(index / part.width), index % part.width];
    return (part.y - whole.y + row) * whole.width + part.x - whole.x + column;
  });
  const cut = cutSamples(data, whole, part);
  expect(Array.from(cut)).toEqual(expected);
  expect(cut.buffer).toBe(data.buffer);
});
