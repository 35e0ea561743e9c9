import type sharp from "sharp";

/** Decodes, resizes and encodes pictures. Loaded with the first of them: libvips takes longer to load than a command that reads none takes in all. */
export async function loadSharp(): Promise<typeof sharp> {
  return (await import("sharp")).default;
}
