/** Attributes as text: equal for equal ones, also where they are infinite or a negative zero, which JSON has not. */
export function attributesKey(attributes: object): string {
  return JSON.stringify(attributes, (_, value: unknown) =>
    typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
      ? `number ${String(1 / value)} ${value}`
      : value,
  );
}
