/** Optical densities of haematoxylin, eosin and a residual for R, G and B (Ruifrok and Johnston 2001), of unit length. */
const stains: readonly (readonly [number, number, number])[] = [
  [0.65, 0.704, 0.286],
  [0.072, 0.99, 0.105],
  [0.268, 0.57, 0.776],
];

/** Density of a stain that is added or taken away at strength 1. */
const offsetRange = 0.2;

/**
 * A change of stains in optical density, density' = matrix * density + offset: the amount of each stain is multiplied by a factor in 1 - strength to
 * 1 + strength, and some is added (Tellez et al. 2018, "HED" augmentation). Strength 0 changes nothing.
 */
export function stainJitter(
  strength: number,
  random: () => number,
): { readonly matrix: readonly number[]; readonly offset: readonly number[] } {
  const inverse = inverseOf(stains.flat());
  const factors = stains.map(() => 1 + strength * (2 * random() - 1));
  const added = stains.map(() => strength * offsetRange * (2 * random() - 1));
  // density = sum over stains of amount * vector, so amounts = density * inverse, row by column.
  const matrix = Array.from({ length: 9 }, (_, index) => {
    const [to, from] = [Math.floor(index / 3), index % 3];
    return stains.reduce(
      (sum, vector, stain) => sum + (inverse[from * 3 + stain] ?? 0) * (factors[stain] ?? 1) * (vector[to] ?? 0),
      0,
    );
  });
  const offset = [0, 1, 2].map((channel) =>
    stains.reduce((sum, vector, stain) => sum + (added[stain] ?? 0) * (vector[channel] ?? 0), 0),
  );
  return { matrix, offset };
}

/** Of a 3x3 matrix, row by row, by its adjugate. */
function inverseOf(matrix: readonly number[]): readonly number[] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0] = matrix;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const adjugate = [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ];
  return adjugate.map((value) => value / determinant);
}
