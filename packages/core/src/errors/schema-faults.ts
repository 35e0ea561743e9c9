/** What a schema says of a value that does not fit. */
interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** Every fault with its place, where it is not the whole value, to print in a message. */
export function schemaFaults(error: SchemaError): string {
  return error.issues.map(({ path, message }) => [...at(path), message].join(": ")).join("; ");
}

function at(path: readonly PropertyKey[]): readonly string[] {
  return path.length === 0 ? [] : [path.map(String).join(".")];
}
