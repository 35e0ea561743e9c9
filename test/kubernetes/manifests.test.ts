import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { networkPolicies } from "./network-policies.ts";
import { componentOf, labelOf, ofKind, workloads } from "./objects.ts";
import type { Objects, Policy } from "./objects.ts";
import { accelerated, podPolicies } from "./pod-policies.ts";
import { referencePolicies } from "./reference-policies.ts";
import { compositions, kustomizeMissing, manifests, overlays, render, renderComposition } from "./render.ts";
import { schemaNames, validator } from "./schemas.ts";

const missing = kustomizeMissing();
if (missing !== undefined) console.log(`skipped: ${missing}`);

const policies: Readonly<Record<string, Policy>> = { ...podPolicies, ...networkPolicies, ...referencePolicies };
const versions = schemaNames.filter((name) => name.startsWith("kubernetes-"));

describe.skipIf(missing !== undefined)("the manifests", () => {
  const rendered = new Map<string, Objects>();
  const named = (name: string): Objects => {
    const known = rendered.get(name);
    const isOverlay = overlays.some((overlay) => overlay === name);
    const objects =
      known ?? (isOverlay ? render(join(manifests, "overlays", name)) : renderComposition(name.split(" + ")));
    rendered.set(name, objects);
    return objects;
  };
  const names = [...overlays, ...compositions.map((components) => components.join(" + "))];

  describe.each(names)("of %s", (name) => {
    test.each(versions)("are what %s, KEDA and the Prometheus operator take", (version) => {
      expect(named(name).flatMap(validator(version))).toEqual([]);
    });

    test.each(Object.entries(policies))("follow the policy %s", (_, policy) => {
      expect(policy(named(name))).toEqual([]);
    });

    if (name.includes("web-identity")) {
      test("give all that talk to S3 a token and the role of their service account", () => {
        const roles = workloads(named(name))
          .filter((workload) => componentOf(workload) !== "redis")
          .flatMap(({ template: { spec }, containers }) =>
            containers.map(({ env = [], volumeMounts = [] }) => [
              spec.serviceAccountName,
              env.find(({ name: variable }) => variable === "AWS_ROLE_ARN")?.valueFrom?.configMapKeyRef?.key,
              volumeMounts.some(({ name: volume }) => volume === "s3-token"),
            ]),
          );
        const [worker, producer] = ["WORKER", "PRODUCER"].map((role) => [
          `slidelight-${role.toLowerCase()}`,
          `${role}_ROLE_ARN`,
          true,
        ]);
        expect(roles).toHaveLength(name.includes("cron-enqueue") ? 4 : 3);
        for (const role of roles) expect([worker, producer]).toContainEqual(role);
      });
    }

    if (name.includes("gpu")) {
      test("give each worker one GPU", () => {
        expect(accelerated(named(name))).toEqual([]);
      });
    }
  });

  test("name one queue for each overlay, to workers and scalers alike", () => {
    const queues = overlays.map((overlay) => {
      const objects = named(overlay);
      const settings = ofKind(objects, "ConfigMap").find(({ data = {} }) => "SLIDELIGHT_QUEUE" in data)?.data ?? {};
      const queue = settings["SLIDELIGHT_QUEUE"] ?? "";
      const counted = ofKind(objects, "ScaledObject").flatMap(({ spec }) => spec?.triggers ?? []);
      expect(new Set(counted.map(({ metadata }) => metadata["listName"]?.split(":")[1]))).toEqual(
        new Set(counted.length === 0 ? [] : [`slidelight-images-${queue}`, `slidelight-shards-${queue}`]),
      );
      // KEDA asks from another namespace.
      const [redis] = ofKind(objects, "Service").filter(({ metadata }) => metadata.name === "slidelight-redis");
      expect(settings["REDIS_HOST"]).toBe(`${redis?.metadata.name}.${redis?.metadata.namespace}.svc`);
      return queue;
    });
    expect(new Set(queues).size).toBe(overlays.length);
  });

  test("hold the alert rules and the dashboard as they are (node scripts/prometheus-rule.mjs writes the rules)", () => {
    const [rule] = ofKind(named("cpu"), "PrometheusRule");
    const file = (path: string) => readFileSync(join(manifests, "..", path), "utf8");
    expect(withoutBreaks(rule?.spec)).toEqual(withoutBreaks(parse(file("prometheus/rules.yaml"))));
    const dashboard = ofKind(named("cpu"), "ConfigMap").find(
      ({ metadata }) => metadata.name === "slidelight-dashboard",
    );
    expect(JSON.parse(dashboard?.data?.["slidelight.json"] ?? "")).toEqual(JSON.parse(file("grafana/slidelight.json")));
    expect(dashboard?.metadata.labels).toMatchObject({ grafana_dashboard: "1" });
  });

  test("are of no kind that is there twice, and come in a form that can be applied again", () => {
    for (const name of names) {
      const labels = named(name).map(labelOf);
      expect(new Set(labels).size).toBe(labels.length);
    }
  });
});

/** kustomize breaks folded lines elsewhere. */
function withoutBreaks(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/(?:\\n|\s)+/gu, " "));
}
