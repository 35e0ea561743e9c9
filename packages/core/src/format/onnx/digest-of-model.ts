import { createHash } from "node:crypto";
import { digestOfBytes } from "../../io/digest-of-bytes.ts";
import type { ModelProto } from "./proto.ts";

/** Names a model by all that is in it, SHA-256 in hexadecimal, without writing it: weights are read once, whatever the models that they are in. */
export function digestOfModel({ graph, ...rest }: ModelProto): string {
  const hash = createHash("sha256");
  const { initializers = [], ...structure } = graph ?? {};
  hash.update(JSON.stringify({ rest, structure }));
  for (const { rawData = new Uint8Array(), ...tensor } of initializers) {
    hash.update(JSON.stringify({ ...tensor, rawData: digestOfBytes(rawData) }));
  }
  return hash.digest("hex");
}
