import type { StoreSettings } from "@slidelight/core";
import { z } from "zod";
import type { OptionTable } from "./options.ts";

/** How S3 is reached; credentials are the AWS SDK's own affair. */
export const storageOptions = {
  s3Endpoint: { environment: ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] },
  s3Region: { environment: ["AWS_REGION", "AWS_DEFAULT_REGION"] },
  s3PathStyle: { environment: ["SLIDELIGHT_S3_PATH_STYLE"] },
  s3Checksums: { environment: ["SLIDELIGHT_S3_CHECKSUMS"] },
} as const satisfies OptionTable;

export const storageKeys = ["s3Endpoint", "s3Region", "s3PathStyle", "s3Checksums"] as const;

const checksums = ["WHEN_SUPPORTED", "WHEN_REQUIRED"] as const;

export const storageSchema = z.object({
  s3Endpoint: z.url("expected the address of an S3 server, such as http://127.0.0.1:7070").exactOptional(),
  s3Region: z.string().exactOptional(),
  s3PathStyle: z.stringbool({ error: "expected true or false" }).exactOptional(),
  s3Checksums: z.enum(checksums, `expected ${checksums.join(" or ")}`).exactOptional(),
});

/** One object for a process: stores with the same settings share one client. */
export function storageSettings(storage: z.output<typeof storageSchema>): StoreSettings {
  const { s3Endpoint, s3Region, s3PathStyle, s3Checksums } = storage;
  const s3 = {
    ...(s3Endpoint === undefined ? {} : { endpoint: s3Endpoint }),
    ...(s3Region === undefined ? {} : { region: s3Region }),
    ...(s3PathStyle === undefined ? {} : { pathStyle: s3PathStyle }),
    ...(s3Checksums === undefined ? {} : { checksums: s3Checksums }),
  };
  return Object.keys(s3).length === 0 ? {} : { s3 };
}
