/**
 * A 5 x 7 bitmap font for ASCII 32 to 126: five columns a glyph, lowest bit on top. A preview must look the same on a
 * machine that has no fonts at all, so its few words are drawn, not typeset.
 */
const columns =
  "0000000000 00005F0000 0007000700 147F147F14 242A7F2A12 2313086462 3649562050 0005030000 001C224100 0041221C00 082A1C2A08 " +
  "08083E0808 0050300000 0808080808 0060600000 2010080402 3E5149453E 00427F4000 4261514946 2141454B31 1814127F10 2745454539 " +
  "3C4A494930 0171090503 3649494936 064949291E 0036360000 0056360000 0008142241 1414141414 4122140800 0201510906 324979413E " +
  "7E1111117E 7F49494936 3E41414122 7F4141221C 7F49494941 7F09090901 3E41415132 7F0808087F 00417F4100 2040413F01 7F08142241 " +
  "7F40404040 7F0204027F 7F0408107F 3E4141413E 7F09090906 3E4151215E 7F09192946 4649494931 01017F0101 3F4040403F 1F2040201F " +
  "7F2018207F 6314081463 0304780403 6151494543 00007F4141 0204081020 41417F0000 0402010204 4040404040 0001020400 2054545478 " +
  "7F48444438 3844444420 384444487F 3854545418 087E090102 081454543C 7F08040478 00447D4000 2040443D00 007F102844 00417F4000 " +
  "7C04180478 7C08040478 3844444438 7C14141408 081414187C 7C08040408 4854545420 043F444020 3C4040207C 1C2040201C 3C4030403C " +
  "4428102844 0C5050503C 4464544C44 0008364100 00007F0000 0041360800 0804081008";

const glyphs: readonly string[] = columns.split(" ");

/** Width and height of a character's cell, in font pixels. */
export const cell = { width: 6, height: 8 } as const;

/** Latin letters that are no other letter with a mark. */
const spelt: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  Æ: "AE",
  œ: "oe",
  Œ: "OE",
  ø: "o",
  Ø: "O",
  ł: "l",
  Ł: "L",
};

/** A text in letters that there are glyphs for, without the marks above and below them; question marks for others. */
export function drawable(text: string): string {
  const letters = Array.from(text.normalize("NFD").replaceAll(/\p{M}/gu, ""), (letter) => spelt[letter] ?? letter);
  return letters.join("").replaceAll(/[^ -~]/gu, "?");
}

/**
 * The SVG path data of a line of text, its upper left corner at (x, y), each font pixel `size` wide. Characters beyond
 * ASCII are drawn as question marks.
 */
export function textPath(
  text: string,
  options: { readonly x: number; readonly y: number; readonly size: number },
): string {
  const { x, y, size } = options;
  const parts: string[] = [];
  Array.from(text).forEach((character, index) => {
    const glyph = glyphs[(character.codePointAt(0) ?? 0) - 32] ?? glyphs[31] ?? "";
    for (let column = 0; column < 5; column += 1) {
      const bits = Number.parseInt(glyph.slice(column * 2, column * 2 + 2), 16);
      for (let row = 0; row < 7; row += 1) {
        if (((bits >> row) & 1) === 0) continue;
        parts.push(`M${x + (index * cell.width + column) * size} ${y + row * size}h${size}v${size}h${-size}z`);
      }
    }
  });
  return parts.join("");
}
