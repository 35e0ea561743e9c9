import { z } from "zod";
import type { OptionTable } from "./options.ts";

export const queueOptions = {
  redis: {
    flag: "--redis <url>",
    text: "the queue's Redis (redis://127.0.0.1:6379)",
    environment: ["SLIDELIGHT_REDIS", "REDIS_URL"],
  },
  queue: { flag: "--queue <name>", text: "one queue for each class of workers, such as gpu" },
} as const satisfies OptionTable;

export const queueSchema = z.object({
  redis: z
    .url({ protocol: /^rediss?$/u, error: "expected an address such as redis://127.0.0.1:6379" })
    .refine(isDecodable, "expected a password whose special characters are written as in addresses, such as %25 for %")
    .refine(
      namesDatabase,
      "expected nothing or the number of a database after the host, such as redis://127.0.0.1:6379/1",
    )
    .default("redis://127.0.0.1:6379"),
  queue: z
    .string()
    .regex(/^[\w-]+$/u, "expected letters, digits, - and _")
    .exactOptional(),
});

function isDecodable(address: string): boolean {
  try {
    const { username, password, search } = new URL(address);
    return [username, password, search].every((part) => typeof decodeURIComponent(part) === "string");
  } catch {
    return false;
  }
}

/** Whether the database is left open, or a number, in the path or as `?db=`: the client would take anything. */
function namesDatabase(address: string): boolean {
  // What is no address at all has been told already.
  if (!URL.canParse(address)) return true;
  const { pathname, searchParams } = new URL(address);
  return /^(?:\/\d{0,9})?$/u.test(pathname) && searchParams.getAll("db").every((text) => /^\d{1,9}$/u.test(text));
}

/** A Redis address without its password, wherever that stands, to print. */
export function redactedUrl(address: string): string {
  const url = new URL(address);
  if (url.password !== "") url.password = "***";
  if (url.searchParams.has("password")) url.searchParams.set("password", "***");
  return url.href;
}
