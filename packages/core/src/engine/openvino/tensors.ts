import type { ElementType, Tensor } from "../../graph/tensor.ts";
import type { Handle, OpenVino } from "./library.ts";

/** Values of the enumeration `ov_element_type_e` of OpenVINO 2026.4. */
const elementTypes: { readonly [T in ElementType]: number } = {
  bool: 1,
  float16: 3,
  float32: 4,
  float64: 5,
  int32: 9,
  int64: 10,
  uint8: 16,
  uint16: 17,
};

/** OpenVINO's view of a tensor's buffer, which must live and stay where it is as long as the view. */
export function viewOf(library: OpenVino, { type, shape, data }: Tensor): Handle {
  // Asking for the buffer moves the values of a small array out of the garbage collector's reach.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return library.make("createTensor", (out) => [
    elementTypes[type],
    { rank: shape.length, dims: shape.map(Number) },
    bytes,
    out,
  ]);
}
