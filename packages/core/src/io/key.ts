import { SlidelightError } from "../errors/slidelight-error.ts";

/** Names that start so are writes in progress: no key, and never listed. */
export const temporaryPrefix = ".slidelight-tmp-";

/**
 * The segments of a key.
 * @throws {SlidelightError} `key-invalid` for an empty key, empty, `.` or `..` segments, NUL, or a temporary's name.
 */
export function keySegments(key: string): readonly string[] {
  const segments = key.split("/");
  const fault = key.includes("\0")
    ? "it holds a NUL character"
    : segments.map(faultOfSegment).find((fault) => fault !== undefined);
  if (fault === undefined) return segments;
  throw new SlidelightError(
    "key-invalid",
    `The key ${JSON.stringify(key)} can't be used: ${fault}. A key is names separated by single slashes.`,
  );
}

function faultOfSegment(segment: string): string | undefined {
  if (segment === "") return "a name between slashes is empty";
  if (segment === "." || segment === "..") return `"${segment}" is no name`;
  if (segment.startsWith(temporaryPrefix)) return `names that start with ${temporaryPrefix} are reserved`;
  return undefined;
}

/** The folder part of a prefix as segments, checked like a key; the rest of a prefix may be any start of a name. */
export function prefixFolder(prefix: string): readonly string[] {
  const end = prefix.lastIndexOf("/");
  if (end >= 0) return keySegments(prefix.slice(0, end));
  if (prefix !== "") keySegments(`${prefix}x`);
  return [];
}

/** The order of object stores: by the bytes of the UTF-8 form. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
