/** What a schema says of a value that does not fit. */
interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** Every fault with its place, to print in a message. */
export function schemaFaults(error: SchemaError): string {
  return error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`).join("; ");
}
