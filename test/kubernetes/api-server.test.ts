import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBinary, startChild } from "../servers/child-server.ts";
import type { ChildServer } from "../servers/child-server.ts";
import { freePort } from "../servers/free-port.ts";
import { labelOf, workloads } from "./objects.ts";
import type { KubernetesObject, Objects, Workload } from "./objects.ts";
import { compositions, manifests, overlays, render, renderComposition } from "./render.ts";

/** What scripts/kubernetes-api-server.mjs has built. */
const built = join(homedir(), ".cache", "slidelight", "kubernetes");

const missing = !existsSync(join(built, "kube-apiserver"))
  ? "no kube-apiserver (node scripts/kubernetes-api-server.mjs builds one, in 20 minutes): the manifests are checked against schemas alone"
  : ["etcd", "kubectl"].filter((name) => findBinary(name) === undefined).map((name) => `no ${name}`)[0];
if (missing !== undefined) console.log(`skipped: ${missing}`);

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Tries for a minute. */
async function until(attempt: () => Outcome): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const { status, output } = attempt();
    if (status === 0) return;
    if (tries === 60) throw new Error(output);
    await setTimeout(1000);
  }
}

describe.skipIf(missing !== undefined)("a real API server", () => {
  let folder = "";
  let port = 0;
  const servers: ChildServer[] = [];

  const kubectl = (args: readonly string[], input = ""): Outcome => {
    const server = ["--server", `https://127.0.0.1:${port}`, "--insecure-skip-tls-verify", "--token", "test"];
    // Neither a user's clusters nor their caches.
    const env = { ...process.env, HOME: folder, KUBECONFIG: join(folder, "none") };
    const { status, stdout, stderr } = spawnSync(findBinary("kubectl") ?? "", [...server, ...args], {
      env,
      input,
      encoding: "utf8",
    });
    return { status, output: stdout + stderr };
  };
  const apply = (objects: readonly object[], ...args: readonly string[]): Outcome =>
    kubectl(["apply", ...args, "--filename", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slidelight-kubernetes-"));
    const etcd = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    port = await freePort();
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await mkdir(join(folder, "etcd"), { mode: 0o700 });
    await writeFile(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    await writeFile(join(folder, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
    await writeFile(join(folder, "tokens.csv"), 'test,test,test,"system:masters"\n');
    const start = async (command: string, flags: Readonly<Record<string, string>>, at: number): Promise<void> => {
      const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
      servers.push(await startChild(command, args, { port: at, folder }));
    };
    await start(
      findBinary("etcd") ?? "",
      {
        "data-dir": join(folder, "etcd"),
        "listen-client-urls": etcd,
        "advertise-client-urls": etcd,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": `default=${peer}`,
        "log-level": "error",
      },
      Number(new URL(etcd).port),
    );
    await start(
      join(built, "kube-apiserver"),
      {
        "etcd-servers": etcd,
        "bind-address": "127.0.0.1",
        "secure-port": String(port),
        "cert-dir": join(folder, "certificates"),
        "service-account-issuer": "https://kubernetes.example.org",
        "service-account-key-file": join(folder, "key.pub"),
        "service-account-signing-key-file": join(folder, "key.pem"),
        "token-auth-file": join(folder, "tokens.csv"),
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": "10.96.0.0/16",
      },
      port,
    );
    await until(() => kubectl(["get", "--raw", "/readyz"]));
    await until(() => kubectl(["apply", "--server-side", "--filename", join(built, "crds")]));
    // It takes a moment until it knows them.
    await until(() => kubectl(["get", "scaledobjects,scaledjobs,podmonitors,prometheusrules", "--all-namespaces"]));
  });
  afterAll(async () => {
    for (const server of servers.reverse()) await server[Symbol.asyncDispose]();
    if (folder !== "") await rm(folder, { recursive: true, force: true });
  });

  /** Nothing makes pods here: the pods that a workload would make. */
  const podsOf = (objects: Objects) =>
    workloads(objects).map(({ object, template }: Workload) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...template.metadata, name: object.metadata.name, namespace: object.metadata.namespace },
      spec: {
        ...template.spec,
        volumes: [
          ...(template.spec.volumes ?? []),
          ...(object.spec?.volumeClaimTemplates ?? []).map(({ metadata: { name } }) => ({
            name,
            persistentVolumeClaim: { claimName: name },
          })),
        ],
      },
    }));

  test.each(overlays)("takes the overlay %s, and its pods where pods are restricted", (overlay) => {
    const at = join(manifests, "overlays", overlay);
    const first = kubectl(["apply", "--kustomize", at]);
    expect(first.output).not.toMatch(/warning|error/iu);
    expect(first.status).toBe(0);
    const objects = render(at);
    const pods = podsOf(objects);
    const outcome = apply(pods, "--dry-run=server");
    expect(outcome.output.trim().split("\n")).toEqual(
      pods.map(({ metadata: { name } }) => `pod/${name} created (server dry run)`),
    );
    // One that may become root is refused: by the namespace, and not by us.
    const [pod] = pods;
    const rooted = { ...pod, spec: { ...pod?.spec, securityContext: {} } };
    expect(apply([rooted], "--dry-run=server").output).toContain('violates PodSecurity "restricted');
  });

  test.each(compositions.map((components) => ({ components })))("takes the base with $components", ({ components }) => {
    const objects = renderComposition(components);
    const namespace = objects.filter(({ kind }) => kind === "Namespace");
    expect(apply(namespace)).toMatchObject({ status: 0 });
    const others = apply(objects.filter(({ kind }) => kind !== "Namespace"));
    expect(others.output).not.toMatch(/warning|error/iu);
    expect(apply(podsOf(objects), "--dry-run=server")).toMatchObject({ status: 0 });
  });

  test("refuses a field that is not there, as the schemas do", () => {
    const [sound] = render(join(manifests, "overlays", "cpu")).filter(
      (object: KubernetesObject) => labelOf(object) === "ScaledObject slidelight-worker",
    );
    const misspelt = { ...sound, spec: { ...sound?.spec, cooldownPeriode: 1 } };
    expect(apply([misspelt], "--dry-run=server", "--validate=strict").output).toContain(
      'unknown field "cooldownPeriode"',
    );
  });
});
