import type { Node } from "./node.ts";
import { rewrite } from "./rewrite.ts";

/** The same values with some nodes put in the place of others; what depends on none of them stays the very same node. */
export function substitute(roots: Iterable<Node>, replacements: ReadonlyMap<Node, Node>): (node: Node) => Node {
  return rewrite(roots, (node, original) => replacements.get(original) ?? node);
}
