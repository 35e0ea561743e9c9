import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Objects } from "./objects.ts";
import { kustomizeMissing, manifests, render } from "./render.ts";
import { schemaNames, validator } from "./schemas.ts";
import { container, keda, pod, set, spoiled, worker } from "./spoiled.ts";
import type { Loose } from "./spoiled.ts";

const missing = kustomizeMissing();

describe.skipIf(missing !== undefined)("what would be wrong with the manifests", () => {
  let sound: Objects;
  beforeAll(() => {
    sound = render(join(manifests, "overlays", "gpu-onnx"));
  });

  /** The same objects, but for one. */
  function spoil(label: string, change: (object: Loose) => void): Objects {
    const copy = structuredClone(sound);
    const object = copy.find(
      ({ kind, metadata: { name } }) =>
        `${kind} ${name}` === label || (label === "settings" && name.startsWith("slidelight-settings")),
    );
    expect(object, `there is no ${label}`).toBeDefined();
    change(object as unknown as Loose);
    // What is undefined is not there.
    return JSON.parse(JSON.stringify(copy)) as Objects;
  }

  test.each(spoiled)("is found: $fault ($object)", ({ policy, fault, object, spoil: change }) => {
    expect(policy(sound)).toEqual([]);
    expect(policy(spoil(object, change))).toEqual(expect.arrayContaining([expect.stringContaining(fault)]));
  });

  test.each(schemaNames.filter((name) => name.startsWith("kubernetes-")))(
    "is found by the schemas of %s, KEDA and the Prometheus operator: misspelt fields, wrong types, unknown kinds",
    (version) => {
      const validate = validator(version);
      const faults = (label: string, change: (object: Loose) => void) => spoil(label, change).flatMap(validate);
      expect(sound.flatMap(validate)).toEqual([]);
      expect(faults(worker, (o) => set(container(o), { livenesProbe: {} }))).toEqual([
        expect.stringContaining('"livenesProbe"'),
      ]);
      expect(faults(worker, (o) => set(pod(o)?.["securityContext"], { runAsUser: "root" }))).not.toEqual([]);
      expect(faults(worker, (o) => set(o, { apiVersion: "apps/v2" }))).toEqual([expect.stringContaining("no schema")]);
      expect(faults(keda, (o) => set(o["spec"], { cooldownPeriode: 3 }))).toEqual([
        expect.stringContaining('"cooldownPeriode"'),
      ]);
      expect(faults(keda, (o) => set(o["spec"]?.["triggers"]?.["0"], { metadata: { listLength: 1 } }))).not.toEqual([]);
      expect(
        faults("PodMonitor slidelight", (o) => set(o["spec"]?.["podMetricsEndpoints"]?.["0"], { prot: "metrics" })),
      ).toEqual([expect.stringContaining('"prot"')]);
      expect(
        faults("PrometheusRule slidelight", (o) => set(o["spec"]?.["groups"]?.["0"]?.["rules"]?.["0"], { expr: [] })),
      ).not.toEqual([]);
    },
  );
});
