import { componentOf, labelOf, ofKind, workloads } from "./objects.ts";
import type { Container, Labels, Objects, Policy } from "./objects.ts";

/** A policy of single containers. */
const ofContainers =
  (find: (container: Container, component: string) => readonly string[]): Policy =>
  (objects) =>
    workloads(objects).flatMap((workload) =>
      workload.containers.flatMap((container) =>
        find(container, componentOf(workload)).map((fault) => `${workload.label}, ${container.name}: ${fault}`),
      ),
    );

const unless = (holds: boolean, fault: string): readonly string[] => (holds ? [] : [fault]);

/** The Pod Security Standard "restricted", and a root file system that can't be written. */
const restricted: Policy = (objects) => [
  ...workloads(objects).flatMap(({ label, template: { spec } }) =>
    [
      ...unless(spec.securityContext?.runAsNonRoot === true, "runAsNonRoot is not true"),
      ...unless((spec.securityContext?.runAsUser ?? 0) > 0, "runAsUser is not above 0"),
      ...unless(spec.securityContext?.seccompProfile?.type === "RuntimeDefault", "seccomp is not RuntimeDefault"),
      ...unless(spec.hostNetwork !== true && spec.hostPID !== true && spec.hostIPC !== true, "shares the host's"),
      ...(spec.volumes ?? [])
        .filter((volume) => !["configMap", "emptyDir", "projected", "ephemeral"].some((kind) => kind in volume))
        .map(({ name }) => `the volume ${name} is of a kind that is not allowed`),
    ].map((fault) => `${label}: ${fault}`),
  ),
  ...ofContainers(({ securityContext: security = {} }) => [
    ...unless(security.privileged !== true, "privileged"),
    ...unless(security.allowPrivilegeEscalation === false, "allowPrivilegeEscalation is not false"),
    ...unless(security.readOnlyRootFilesystem === true, "readOnlyRootFilesystem is not true"),
    ...unless(security.capabilities?.drop?.includes("ALL") === true, "does not drop ALL capabilities"),
    ...unless((security.capabilities?.add ?? []).length === 0, "adds capabilities"),
  ])(objects),
];

/** Nobody gets a token of the Kubernetes API, nor a role; names of Services do not become variables. */
const noToken: Policy = (objects) => [
  ...workloads(objects).flatMap(({ label, template: { spec } }) => {
    const accounts = ofKind(objects, "ServiceAccount").map(({ metadata }) => metadata.name);
    return [
      ...unless(spec.automountServiceAccountToken === false, "mounts a token"),
      ...unless(spec.enableServiceLinks === false, "gets variables of Services (enableServiceLinks)"),
      ...unless(accounts.includes(spec.serviceAccountName ?? ""), "has no service account of its own"),
    ].map((fault) => `${label}: ${fault}`);
  }),
  ...ofKind(objects, "ServiceAccount")
    .filter(({ automountServiceAccountToken }) => automountServiceAccountToken !== false)
    .map((account) => `${labelOf(account)}: mounts a token`),
  ...ofKind(objects, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding").map(
    (role) => `${labelOf(role)}: nobody needs the Kubernetes API`,
  ),
];

const bytes: Readonly<Record<string, number>> = { Mi: 2 ** 20, Gi: 2 ** 30 };

function bytesOf(quantity: string | undefined): number {
  const [, number = "", unit = ""] = /^(\d+)(Mi|Gi)$/u.exec(quantity ?? "") ?? [];
  return Number(number) * (bytes[unit] ?? Number.NaN);
}

/** Everything that can be exhausted is asked for and bounded. */
const resources: Policy = (objects) => [
  ...ofContainers(({ resources: { requests = {}, limits = {} } = {} }) => {
    const missing = (given: Labels, noun: string) =>
      ["cpu", "memory", "ephemeral-storage"].filter((name) => !(name in given)).map((name) => `no ${noun} of ${name}`);
    return [...missing(requests, "request"), ...missing(limits, "limit")];
  })(objects),
  ...workloads(objects).flatMap(({ label, template: { spec }, containers }) => {
    const folders = (spec.volumes ?? []).filter(({ emptyDir }) => emptyDir !== undefined);
    const sizes = folders.map(({ emptyDir }) => bytesOf(emptyDir?.sizeLimit));
    const limit = Math.max(
      0,
      ...containers.map((container) => bytesOf(container.resources?.limits?.["ephemeral-storage"])),
    );
    return [
      ...folders.filter((_, index) => !(Number(sizes[index]) > 0)).map(({ name }) => `${label}: ${name} has no size`),
      ...unless(
        !(sizes.reduce((sum, size) => sum + size, 0) > limit),
        `${label}: its emptyDirs are larger than the limit of ephemeral-storage`,
      ),
    ];
  }),
];

/** An exact version, from a registry that the overlay names or a local one. */
const images: Policy = ofContainers(({ image }) =>
  unless(
    /^[\w./-]+(:v?\d+\.\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})$/u.test(image),
    `the image ${image} has no exact version`,
  ),
);

const probes: Policy = (objects) =>
  workloads(objects)
    .filter(({ object }) => object.kind !== "CronJob")
    .flatMap((workload) =>
      workload.template.spec.containers.flatMap((container) => {
        const own = ["worker", "planner"].includes(componentOf(workload));
        return [
          ...unless(container.livenessProbe !== undefined, "no liveness probe"),
          ...unless(container.readinessProbe !== undefined, "no readiness probe"),
          ...(own
            ? [
                ...unless(
                  container.startupProbe?.httpGet?.path === "/healthz",
                  "its startup probe does not ask /healthz",
                ),
                ...unless(
                  container.livenessProbe?.httpGet?.path === "/healthz",
                  "its liveness probe does not ask /healthz",
                ),
                ...unless(
                  container.readinessProbe?.httpGet?.path === "/readyz",
                  "its readiness probe does not ask /readyz",
                ),
              ]
            : []),
        ].map((fault) => `${workload.label}, ${container.name}: ${fault}`);
      }),
    );

/** A worker is gone 20 s after SIGTERM: a shorter grace would cost it its tiles. */
const graceful: Policy = (objects) =>
  workloads(objects)
    .filter(({ template: { spec } }) => spec.terminationGracePeriodSeconds !== 60)
    .filter((workload) => ["worker", "planner", "enqueue", "redis"].includes(componentOf(workload)))
    .map(({ label }) => `${label}: terminationGracePeriodSeconds is not 60`);

/** Of overlays with GPUs. */
export const accelerated: Policy = (objects: Objects) =>
  workloads(objects)
    .filter((workload) => componentOf(workload) === "worker")
    .flatMap(({ label, object, template: { spec }, containers }) =>
      [
        ...unless(containers[0]?.resources?.limits?.["nvidia.com/gpu"] === "1", "not one GPU for each worker"),
        ...unless(spec.nodeSelector?.["nvidia.com/gpu.present"] === "true", "not bound to machines with GPUs"),
        ...unless(
          (spec.tolerations ?? []).some(({ key }) => key === "nvidia.com/gpu"),
          "does not bear the GPUs' taint",
        ),
        ...unless(
          containers[0]?.env?.every(({ name }) => name !== "SLIDELIGHT_MEMORY") === true,
          "bounds what tiles take by a computer's memory",
        ),
        ...(object.kind === "Deployment"
          ? unless(object.spec?.strategy?.rollingUpdate?.maxSurge === 0, "a rollout wants more GPUs than there are")
          : []),
      ].map((fault) => `${label}: ${fault}`),
    );

export const podPolicies = { restricted, noToken, resources, images, probes, graceful } as const;
