import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import type { ValidateFunction } from "ajv";
import { labelOf } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";

interface Bundle {
  readonly kinds: Readonly<Record<string, object>>;
  readonly definitions: Readonly<Record<string, object>>;
}

const folder = new URL("schemas/", import.meta.url);

/** What scripts/kubernetes-schemas.mjs has written: `kubernetes-1.37.0`, `keda-2.21.0`… */
export const schemaNames: readonly string[] = readdirSync(folder).map((file) => file.replace(/\.json$/u, ""));

export type Validate = (object: KubernetesObject) => readonly string[];

/**
 * Checks objects against one version of Kubernetes and all the custom resources; fields that a schema does not know are faults,
 * and so are kinds that none knows.
 */
export function validator(kubernetes: string): Validate {
  const made = validators.get(kubernetes) ?? makeValidator(kubernetes);
  validators.set(kubernetes, made);
  return made;
}

const validators = new Map<string, Validate>();

function makeValidator(kubernetes: string): Validate {
  const names = schemaNames.filter((name) => name === kubernetes || !name.startsWith("kubernetes-"));
  const byKind = new Map<string, ValidateFunction>();
  for (const name of names) {
    const { kinds, definitions } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as Bundle;
    // Formats (int32, date-time) are the server's own affair, and its types are unions.
    const ajv = new Ajv({ allErrors: true, validateFormats: false, strict: true, allowUnionTypes: true });
    for (const [kind, schema] of Object.entries(kinds)) byKind.set(kind, ajv.compile({ ...schema, definitions }));
  }
  return (object) => {
    const validate = byKind.get(`${object.apiVersion}/${object.kind}`);
    if (validate === undefined) return [`${labelOf(object)}: no schema of ${object.apiVersion}/${object.kind}`];
    if (validate(object)) return [];
    return (validate.errors ?? []).map(({ instancePath, message = "", params }) => {
      const field = "additionalProperty" in params ? ` "${String(params["additionalProperty"])}"` : "";
      return `${labelOf(object)}${instancePath}: ${message}${field}`;
    });
  };
}
