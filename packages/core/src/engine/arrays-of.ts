/** The arrays of tensors: what is handed to another thread with them. */
export function arraysOf(
  tensors: Readonly<Record<string, { readonly data: ArrayBufferView }>>,
): readonly ArrayBufferView[] {
  return Object.values(tensors).map(({ data }) => data);
}
