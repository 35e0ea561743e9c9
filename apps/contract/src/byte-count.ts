import { z } from "zod";

const units: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

const size = "expected a size such as 2GB, 1.5GiB or a number of bytes";

/** `2GB`, `1.5GiB`, `1000`. */
export const byteCount = z.string().transform((text, context): number => {
  const [, value = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmg]?i?)b?$/u.exec(text.trim().toLowerCase()) ?? [];
  const scale = units[unit];
  if (value !== "" && scale !== undefined && Number(value) * scale >= 1) return Math.floor(Number(value) * scale);
  context.addIssue({ code: "custom", message: size });
  return z.NEVER;
});
