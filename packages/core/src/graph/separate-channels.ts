import { conv, sliceAxis } from "./build.ts";
import { operandsOf, topologicalOrder } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { mapNodes, rewrite } from "./rewrite.ts";

/**
 * The same values where a convolution of which only ranges of channels are used, each for itself, is one convolution for
 * each range: the gradient of joined values is such a one. Ranges whose wanted regions differ, as those of an encoder's and
 * a decoder's half do, are then cut for themselves.
 */
export function separateChannels(outputs: Readonly<Record<string, Node>>): Readonly<Record<string, Node>> {
  const roots = Object.values(outputs);
  const separable = convolutionsUsedInRanges(roots);
  const separate = (node: Node, original: Node): Node => {
    if (original.op !== "Slice" || node.op !== "Slice") return node;
    const [whole] = original.inputs;
    const [x] = node.inputs;
    return separable.has(whole) && x.op === "Conv" ? rangeOf(x, node) : node;
  };
  return mapNodes(outputs, rewrite(roots, separate));
}

/** Channels `start` to `start + size` of a convolution without groups. */
function rangeOf(whole: NodeOf<"Conv">, range: NodeOf<"Slice">): Node {
  const [x, weight, bias] = whole.inputs;
  const channels = { axis: 0, start: range.attributes.starts[1] ?? 0, size: range.attributes.sizes[1] ?? 0 };
  const part = bias === undefined ? undefined : sliceAxis(bias, channels);
  return conv(x, sliceAxis(weight, channels), part, { ...whole.attributes, name: range.name });
}

function convolutionsUsedInRanges(roots: readonly Node[]): ReadonlySet<Node> {
  const order = topologicalOrder(roots);
  const users = new Map<Node, Node[]>();
  for (const node of order) {
    for (const operand of operandsOf(node)) {
      const known = users.get(operand);
      if (known === undefined) users.set(operand, [node]);
      else known.push(node);
    }
  }
  const used = new Set(roots);
  return new Set(
    order.filter((node) => {
      const ranges = users.get(node) ?? [];
      return node.op === "Conv" && node.attributes.group === 1 && !used.has(node) && areRanges(node, ranges);
    }),
  );
}

/** Whether these are ranges of channels that do not overlap: together no more work than the whole. */
function areRanges(whole: Node, users: readonly Node[]): boolean {
  const channels = users.map((node) => (node.op === "Slice" ? channelRange(whole, node) : undefined));
  if (channels.length === 0 || channels.includes(undefined)) return false;
  const sorted = channels.filter((range) => range !== undefined).sort((a, b) => a.start - b.start);
  return sorted.every((range, index) => range.start >= (sorted[index - 1]?.end ?? 0));
}

function channelRange(
  whole: Node,
  { attributes: { starts, sizes, steps } }: NodeOf<"Slice">,
): { readonly start: number; readonly end: number } | undefined {
  const elsewhere = [0, 2, 3].every((axis) => sizes[axis] === whole.shape[axis] && steps[axis] === 1);
  const [start = 0, size = 0] = [starts[1], sizes[1]];
  return elsewhere && steps[1] === 1 && size > 0 ? { start, end: start + size } : undefined;
}
