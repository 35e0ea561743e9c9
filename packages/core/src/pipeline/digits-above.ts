/** More digits tell no double from another. */
const mostDigits = 17;

/** A value above a bound, to print: with two digits, or with as many as it takes to see that it is above. */
export function digitsAbove(value: number, bound: number): string {
  let digits = 2;
  while (digits < mostDigits && Number(value.toPrecision(digits)) <= bound) digits += 1;
  return value.toPrecision(digits);
}
