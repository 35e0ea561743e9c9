import { abs, cast, minimum, reshape, scalarLike, slice } from "./build.ts";
import type { Node } from "./node.ts";

/**
 * A zero [1, .., 1] of `like`'s type and rank that is known only when `value` is: the smaller of 0 and a magnitude. Engines can put off to
 * it what they would do too early, or once for all. Where that value is NaN, so is this.
 */
export function runTimeZero(value: Node, like: Node): Node {
  const first = slice(value, { starts: value.shape.map(() => 0), sizes: value.shape.map(() => 1) });
  const zero = minimum(abs(first), scalarLike(value, 0));
  return cast(
    reshape(
      zero,
      like.shape.map(() => 1),
    ),
    like.type,
  );
}
