import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { findBinary } from "../servers/child-server.ts";
import type { KubernetesObject, Objects } from "./objects.ts";

export const manifests = fileURLToPath(new URL("../../deploy/k8s", import.meta.url));

export const overlays = ["cpu", "gpu-onnx", "gpu-tfjs", "dev"] as const;

/** Installations that users put together. */
export const compositions = [
  ["external-redis", "monitoring", "hpa"],
  ["redis", "cron-enqueue", "web-identity", "hpa-queue"],
  ["gpu", "scratch-volume", "web-identity", "redis", "monitoring", "keda-scaled-job"],
] as const;

/** Why manifests can't be made here; `undefined` when they can. */
export function kustomizeMissing(): string | undefined {
  if (findBinary("kubectl") !== undefined || findBinary("kustomize") !== undefined) return undefined;
  return "no kubectl and no kustomize (npm test builds kustomize where Go is): the manifests are not tested";
}

/** The objects that `kubectl apply -k` would send for a folder. */
export function render(folder: string): Objects {
  const kubectl = findBinary("kubectl");
  const [command, ...args] =
    kubectl === undefined ? [findBinary("kustomize") ?? "kustomize", "build"] : [kubectl, "kustomize"];
  const text = execFileSync(command, [...args, folder], { encoding: "utf8", maxBuffer: 2 ** 26 });
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as KubernetesObject;
  });
}

/** An installation that a user puts together from the base and components, in this order. */
export function renderComposition(components: readonly string[]): Objects {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "slidelight-manifests-")));
  try {
    const at = (path: string) => relative(folder, join(realpathSync(manifests), path));
    const queue = { class: "own", images: "slidelight-images-own", shards: "slidelight-shards-own" };
    const annotations = { "config.kubernetes.io/local-config": "true" };
    const source = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "queue", annotations }, data: queue };
    const literals = ["SLIDELIGHT_QUEUE=own", "REDIS_HOST=redis.example.org"];
    if (components.includes("cron-enqueue")) literals.push("SLIDELIGHT_SOURCE=s3://archive/slides/");
    if (components.includes("web-identity")) {
      for (const role of ["worker", "producer"]) {
        literals.push(`${role.toUpperCase()}_ROLE_ARN=arn:aws:iam::111122223333:role/${role}`);
      }
    }
    const image = (name: string) => ({ name, newName: `registry.example.org/${name}`, newTag: "0.1.0" });
    const kustomization = {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      namespace: "own",
      resources: [at("base"), "queue.json"],
      components: components.map((name) => at(join("components", name))),
      configMapGenerator: [{ name: "slidelight-settings", behavior: "merge", literals }],
      images: ["slidelight-worker", "slidelight-producer", "redis"].map(image),
    };
    writeFileSync(join(folder, "queue.json"), JSON.stringify(source));
    writeFileSync(join(folder, "kustomization.yaml"), JSON.stringify(kustomization));
    return render(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
