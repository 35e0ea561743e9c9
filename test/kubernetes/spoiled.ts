import { networkPolicies } from "./network-policies.ts";
import type { Policy } from "./objects.ts";
import { accelerated, podPolicies } from "./pod-policies.ts";
import { referencePolicies } from "./reference-policies.ts";

/** An object that a test may spoil. */
export interface Loose {
  [field: string]: Loose;
}

interface Spoiled {
  readonly policy: Policy;
  /** As the policy should tell it. */
  readonly fault: string;
  readonly object: string;
  readonly spoil: (object: Loose) => void;
}

export const set = (object: Loose | undefined, values: object): void => void Object.assign(object ?? {}, values);
export const pod = (object: Loose) => object["spec"]?.["template"]?.["spec"];
export const container = (object: Loose) => pod(object)?.["containers"]?.["0"];
export const worker = "Deployment slidelight-worker";
const redis = "StatefulSet slidelight-redis";
export const keda = "ScaledObject slidelight-worker";

const { restricted, noToken, resources, images, probes, graceful } = podPolicies;
const { references, environment, selectors, scaling, oneNamespace } = referencePolicies;
const { denied, egress, ingress } = networkPolicies;

/** An installation with one fault each, and the policy that finds it. */
export const spoiled: readonly Spoiled[] = [
  {
    policy: restricted,
    fault: "runAsNonRoot",
    object: worker,
    spoil: (o) => set(pod(o)?.["securityContext"], { runAsNonRoot: false }),
  },
  {
    policy: restricted,
    fault: "runAsUser",
    object: redis,
    spoil: (o) => set(pod(o)?.["securityContext"], { runAsUser: 0 }),
  },
  {
    policy: restricted,
    fault: "seccomp",
    object: worker,
    spoil: (o) => set(pod(o)?.["securityContext"], { seccompProfile: undefined }),
  },
  { policy: restricted, fault: "shares the host's", object: worker, spoil: (o) => set(pod(o), { hostNetwork: true }) },
  {
    policy: restricted,
    fault: "of a kind",
    object: worker,
    spoil: (o) => set(pod(o)?.["volumes"]?.["0"], { emptyDir: undefined, hostPath: { path: "/" } }),
  },
  {
    policy: restricted,
    fault: "privileged",
    object: worker,
    spoil: (o) => set(container(o)?.["securityContext"], { privileged: true }),
  },
  {
    policy: restricted,
    fault: "allowPrivilegeEscalation",
    object: worker,
    spoil: (o) => set(container(o)?.["securityContext"], { allowPrivilegeEscalation: undefined }),
  },
  {
    policy: restricted,
    fault: "readOnlyRootFilesystem",
    object: redis,
    spoil: (o) => set(container(o)?.["securityContext"], { readOnlyRootFilesystem: false }),
  },
  {
    policy: restricted,
    fault: "drop ALL",
    object: worker,
    spoil: (o) => set(container(o)?.["securityContext"], { capabilities: {} }),
  },
  {
    policy: restricted,
    fault: "adds capabilities",
    object: worker,
    spoil: (o) => set(container(o)?.["securityContext"]?.["capabilities"], { add: ["NET_ADMIN"] }),
  },
  {
    policy: noToken,
    fault: "mounts a token",
    object: worker,
    spoil: (o) => set(pod(o), { automountServiceAccountToken: undefined }),
  },
  {
    policy: noToken,
    fault: "mounts a token",
    object: "ServiceAccount slidelight-worker",
    spoil: (o) => set(o, { automountServiceAccountToken: true }),
  },
  {
    policy: noToken,
    fault: "enableServiceLinks",
    object: redis,
    spoil: (o) => set(pod(o), { enableServiceLinks: undefined }),
  },
  {
    policy: noToken,
    fault: "no service account of its own",
    object: worker,
    spoil: (o) => set(pod(o), { serviceAccountName: "default" }),
  },
  {
    policy: noToken,
    fault: "nobody needs the Kubernetes API",
    object: "Service slidelight-redis",
    spoil: (o) => set(o, { kind: "ClusterRoleBinding" }),
  },
  {
    policy: resources,
    fault: "no limit of memory",
    object: worker,
    spoil: (o) => set(container(o)?.["resources"]?.["limits"], { memory: undefined }),
  },
  {
    policy: resources,
    fault: "no request of cpu",
    object: redis,
    spoil: (o) => set(container(o)?.["resources"], { requests: {} }),
  },
  {
    policy: resources,
    fault: "scratch has no size",
    object: worker,
    spoil: (o) => set(pod(o)?.["volumes"]?.["0"], { emptyDir: {} }),
  },
  {
    policy: resources,
    fault: "larger than the limit",
    object: worker,
    spoil: (o) => set(pod(o)?.["volumes"]?.["0"], { emptyDir: { sizeLimit: "100Gi" } }),
  },
  {
    policy: images,
    fault: "no exact version",
    object: worker,
    spoil: (o) => set(container(o), { image: "registry.example.org/slidelight-worker-cpu:latest" }),
  },
  { policy: images, fault: "no exact version", object: redis, spoil: (o) => set(container(o), { image: "redis" }) },
  {
    policy: images,
    fault: "no exact version",
    object: worker,
    spoil: (o) => set(container(o), { image: "registry:5000/worker" }),
  },
  {
    policy: probes,
    fault: "no readiness probe",
    object: redis,
    spoil: (o) => set(container(o), { readinessProbe: undefined }),
  },
  {
    policy: probes,
    fault: "does not ask /readyz",
    object: worker,
    spoil: (o) => set(container(o)?.["readinessProbe"]?.["httpGet"], { path: "/healthz" }),
  },
  {
    policy: probes,
    fault: "startup probe does not ask",
    object: worker,
    spoil: (o) => set(container(o), { startupProbe: undefined }),
  },
  {
    policy: graceful,
    fault: "is not 60",
    object: worker,
    spoil: (o) => set(pod(o), { terminationGracePeriodSeconds: 10 }),
  },
  {
    policy: references,
    fault: "no PriorityClass",
    object: "PriorityClass slidelight-queue",
    spoil: (o) => set(o["metadata"], { name: "other" }),
  },
  {
    policy: references,
    fault: "no ConfigMap lost",
    object: worker,
    spoil: (o) => set(container(o)?.["envFrom"]?.["0"]?.["configMapRef"], { name: "lost" }),
  },
  {
    policy: references,
    fault: "no Secret lost",
    object: worker,
    spoil: (o) => set(container(o)?.["envFrom"]?.["1"]?.["secretRef"], { name: "lost" }),
  },
  {
    policy: references,
    fault: "no key pasword",
    object: redis,
    spoil: (o) => set(container(o)?.["env"]?.["0"]?.["valueFrom"]?.["secretKeyRef"], { key: "pasword" }),
  },
  {
    policy: references,
    fault: "no volume lost",
    object: worker,
    spoil: (o) => set(container(o)?.["volumeMounts"]?.["0"], { name: "lost" }),
  },
  {
    policy: references,
    fault: "a secret is in the manifests",
    object: "Service slidelight-redis",
    spoil: (o) => set(o, { kind: "Secret" }),
  },
  {
    policy: environment,
    fault: "does not read SLIDELIGHT_MEMORI",
    object: worker,
    spoil: (o) => set(container(o)?.["env"]?.["2"], { name: "SLIDELIGHT_MEMORI" }),
  },
  {
    policy: environment,
    fault: "nobody reads REDIS_URI",
    object: worker,
    spoil: (o) => set(container(o)?.["env"]?.["1"], { name: "REDIS_URI" }),
  },
  {
    policy: environment,
    fault: "$(REDIS_HOSST) has no value",
    object: worker,
    spoil: (o) => set(container(o)?.["env"]?.["1"], { value: "redis://$(REDIS_HOSST)" }),
  },
  {
    policy: environment,
    fault: "nobody reads SLIDELIGHT_QEUE",
    object: "settings",
    spoil: (o) => set(o["data"], { SLIDELIGHT_QEUE: "cpu" }),
  },
  {
    policy: selectors,
    fault: "selects no pods",
    object: "PodDisruptionBudget slidelight-worker",
    spoil: (o) => set(o["spec"]?.["selector"]?.["matchLabels"], { "app.kubernetes.io/component": "workers" }),
  },
  {
    policy: selectors,
    fault: "selects no pods",
    object: "NetworkPolicy allow-metrics",
    spoil: (o) => set(o["spec"]?.["podSelector"]?.["matchExpressions"]?.["0"], { values: ["workers"] }),
  },
  {
    policy: selectors,
    fault: "has no port metric",
    object: "PodMonitor slidelight",
    spoil: (o) => set(o["spec"]?.["podMetricsEndpoints"]?.["0"], { port: "metric" }),
  },
  {
    policy: selectors,
    fault: "has no port 6380",
    object: "Service slidelight-redis",
    spoil: (o) => set(o["spec"]?.["ports"]?.["0"], { targetPort: 6380 }),
  },
  {
    policy: selectors,
    fault: "a probe asks a port",
    object: worker,
    spoil: (o) => set(container(o)?.["ports"]?.["0"], { name: "http" }),
  },
  {
    policy: selectors,
    fault: "does not select its own pods",
    object: worker,
    spoil: (o) => set(o["spec"]?.["selector"]?.["matchLabels"], { "app.kubernetes.io/component": "planner" }),
  },
  {
    policy: scaling,
    fault: "nothing to scale",
    object: keda,
    spoil: (o) => set(o["spec"]?.["scaleTargetRef"], { name: "workers" }),
  },
  { policy: scaling, fault: "replicas of its own", object: worker, spoil: (o) => set(o["spec"], { replicas: 3 }) },
  {
    policy: scaling,
    fault: "no authentication",
    object: keda,
    spoil: (o) => set(o["spec"]?.["triggers"]?.["0"]?.["authenticationRef"], { name: "lost" }),
  },
  {
    policy: oneNamespace,
    fault: "another namespace",
    object: worker,
    spoil: (o) => set(o["metadata"], { namespace: "default" }),
  },
  {
    policy: oneNamespace,
    fault: "does not enforce",
    object: "Namespace slidelight-gpu-onnx",
    spoil: (o) => set(o["metadata"], { labels: {} }),
  },
  {
    policy: denied,
    fault: "no policy denies",
    object: "NetworkPolicy default-deny",
    spoil: (o) => set(o["spec"], { policyTypes: ["Ingress"] }),
  },
  {
    policy: egress,
    fault: "does not reach names",
    object: "NetworkPolicy allow-dns",
    spoil: (o) => set(o["spec"], { egress: [] }),
  },
  {
    policy: egress,
    fault: "does not reach Redis",
    object: "NetworkPolicy allow-queue",
    spoil: (o) => set(o["spec"], { podSelector: { matchLabels: { a: "b" } } }),
  },
  {
    policy: egress,
    fault: "goes to every port",
    object: "NetworkPolicy allow-object-store",
    spoil: (o) => set(o["spec"]?.["egress"]?.["0"], { ports: [] }),
  },
  {
    policy: egress,
    fault: "goes everywhere",
    object: "NetworkPolicy allow-traces",
    spoil: (o) => set(o["spec"]?.["egress"]?.["0"], { to: [] }),
  },
  {
    policy: egress,
    fault: "the machine's own services",
    object: "NetworkPolicy allow-object-store",
    spoil: (o) => set(o["spec"]?.["egress"]?.["0"]?.["to"]?.["0"]?.["ipBlock"], { except: [] }),
  },
  {
    policy: egress,
    fault: "StatefulSet slidelight-redis: goes out",
    object: "NetworkPolicy allow-object-store",
    spoil: (o) => set(o["spec"], { podSelector: {} }),
  },
  {
    policy: ingress,
    fault: "takes calls of everybody",
    object: "NetworkPolicy allow-queue-clients",
    spoil: (o) => set(o["spec"]?.["ingress"]?.["0"], { from: [] }),
  },
  {
    policy: ingress,
    fault: "others than the monitoring",
    object: "NetworkPolicy allow-metrics",
    spoil: (o) => set(o["spec"]?.["ingress"]?.["0"], { from: [{ podSelector: {} }] }),
  },
  {
    policy: ingress,
    fault: "does not take calls of Deployment",
    object: "NetworkPolicy allow-queue-clients",
    spoil: (o) =>
      set(o["spec"]?.["ingress"]?.["0"]?.["from"]?.["0"]?.["podSelector"]?.["matchExpressions"]?.["0"], {
        values: ["enqueue"],
      }),
  },
  {
    policy: ingress,
    fault: "does not take calls of KEDA",
    object: "NetworkPolicy allow-queue-clients",
    spoil: (o) =>
      set(o["spec"]?.["ingress"]?.["0"]?.["from"]?.["1"], { namespaceSelector: { matchLabels: { a: "b" } } }),
  },
  {
    policy: accelerated,
    fault: "not one GPU",
    object: worker,
    spoil: (o) => set(container(o)?.["resources"]?.["limits"], { "nvidia.com/gpu": "2" }),
  },
  { policy: accelerated, fault: "machines with GPUs", object: worker, spoil: (o) => set(pod(o), { nodeSelector: {} }) },
  { policy: accelerated, fault: "taint", object: worker, spoil: (o) => set(pod(o), { tolerations: [] }) },
  {
    policy: accelerated,
    fault: "a computer's memory",
    object: worker,
    spoil: (o) => set(container(o)?.["env"]?.["0"], { name: "SLIDELIGHT_MEMORY" }),
  },
  {
    policy: accelerated,
    fault: "more GPUs than there are",
    object: worker,
    spoil: (o) => set(o["spec"]?.["strategy"]?.["rollingUpdate"], { maxSurge: 1 }),
  },
];
