import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Versions of what determines the bytes of a result. */
export function versions(): { readonly slidelight: string; readonly node: string } {
  const manifest: unknown = require("@slidelight/core/package.json");
  const slidelight = isVersioned(manifest) ? manifest.version : "unknown";
  return { slidelight, node: process.versions.node };
}

function isVersioned(value: unknown): value is { readonly version: string } {
  return typeof value === "object" && value !== null && "version" in value && typeof value.version === "string";
}
