import { gatherOptions } from "@slidelight/contract";
import type { OptionTable } from "@slidelight/contract";
import { enqueueOptions, plannerOptions, reportOptions, scheduleOptions } from "../../apps/producer/src/config.ts";
import { workerOptions } from "../../apps/worker/src/config.ts";
import { labelOf, ofKind, selects, workloads } from "./objects.ts";
import type { Container, KubernetesObject, Objects, Policy, Selector } from "./objects.ts";

/** What the operator makes by hand, because no secret is in a repository; docs/operations.md ("Install"). */
const secrets: Readonly<Record<string, readonly string[]>> = {
  "slidelight-redis": ["password"],
  "slidelight-s3": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
};

/** Variables that a command asks for. */
function variablesOf(table: OptionTable): readonly string[] {
  const asked: string[] = [];
  const environment = new Proxy<Record<string, undefined>>(
    {},
    {
      get: (_, name) => {
        asked.push(String(name));
        return undefined;
      },
    },
  );
  gatherOptions(table, { flags: {}, environment });
  return asked;
}

/** By what a container runs: its command's options, or those of another program. */
const readers: Readonly<Record<string, readonly string[]>> = {
  worker: variablesOf(workerOptions),
  planner: variablesOf(plannerOptions),
  enqueue: variablesOf(enqueueOptions),
  schedule: variablesOf(scheduleOptions),
  // By hand, in the planner's container.
  report: variablesOf(reportOptions),
  redis: ["REDISCLI_AUTH"],
  versitygw: ["ROOT_ACCESS_KEY", "ROOT_SECRET_KEY"],
  "the AWS SDK": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"],
};
const allRead = new Set(Object.values(readers).flat());

/** `$(NAME)`, which Kubernetes replaces in arguments and variables. */
const expanded = (text: string): readonly string[] => [...text.matchAll(/\$\((\w+)\)/gu)].map(([, name = ""]) => name);

/** Names of variables with where they are from. */
function variables({ envFrom = [], env = [] }: Container, objects: Objects): readonly string[] {
  const maps = envFrom.flatMap(({ configMapRef, secretRef }) => [
    ...Object.keys(
      ofKind(objects, "ConfigMap").find(({ metadata }) => metadata.name === configMapRef?.name)?.data ?? {},
    ),
    ...(secrets[secretRef?.name ?? ""] ?? []),
  ]);
  return [...maps, ...env.map(({ name }) => name)];
}

const found = (objects: Objects, kind: string, name: string): KubernetesObject | undefined =>
  ofKind(objects, kind).find(({ metadata }) => metadata.name === name);

/** Every ConfigMap, Secret, volume and priority that is named is there, with the key that is named. */
const references: Policy = (objects) => [
  ...workloads(objects).flatMap(({ label, object, template: { spec }, containers }) => {
    const volumes = [
      ...(spec.volumes ?? []),
      ...(object.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata),
    ].map(({ name }) => name);
    const { priorityClassName } = spec;
    const faults = [
      ...(spec.volumes ?? []).flatMap(({ configMap }) =>
        configMap === undefined || found(objects, "ConfigMap", configMap.name) !== undefined
          ? []
          : [`no ConfigMap ${configMap.name}`],
      ),
      ...(priorityClassName === undefined || found(objects, "PriorityClass", priorityClassName) !== undefined
        ? []
        : [`no PriorityClass ${priorityClassName}`]),
      ...containers.flatMap(({ envFrom = [], env = [], volumeMounts = [] }) => [
        ...volumeMounts.filter(({ name }) => !volumes.includes(name)).map(({ name }) => `no volume ${name}`),
        ...envFrom.flatMap(({ configMapRef, secretRef }) => [
          ...(configMapRef === undefined || found(objects, "ConfigMap", configMapRef.name) !== undefined
            ? []
            : [`no ConfigMap ${configMapRef.name}`]),
          ...(secretRef === undefined || secretRef.name in secrets ? [] : [`no Secret ${secretRef.name}`]),
        ]),
        ...env.flatMap(({ valueFrom: { configMapKeyRef: key, secretKeyRef: secret } = {} }) => [
          ...(key === undefined || key.key in (found(objects, "ConfigMap", key.name)?.data ?? {})
            ? []
            : [`no key ${key.key} in a ConfigMap ${key.name}`]),
          ...(secret === undefined || secrets[secret.name]?.includes(secret.key) === true
            ? []
            : [`no key ${secret.key} in a Secret ${secret.name}`]),
        ]),
      ]),
    ];
    return faults.map((fault) => `${label}: ${fault}`);
  }),
  ...ofKind(objects, "Secret").map((secret) => `${labelOf(secret)}: a secret is in the manifests`),
];

/** A variable that nobody reads is a misspelt one; one that is read must have a value where it is put in. */
const environment: Policy = (objects) =>
  workloads(objects).flatMap(({ label, containers }) =>
    containers.flatMap((container) => {
      const given = variables(container, objects);
      const { args = [], command = [], env = [] } = container;
      const wanted = [...args, ...command, ...env.map(({ value = "" }) => value)].flatMap(expanded);
      const used = [...wanted, ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.key ?? "")];
      // In a shell's command.
      const spoken = [...command, ...args].join(" ");
      const [program = ""] = args;
      const own =
        program in readers ? new Set([...(readers[program] ?? []), ...(readers["the AWS SDK"] ?? [])]) : allRead;
      return [
        ...wanted.filter((name) => !given.includes(name)).map((name) => `$(${name}) has no value`),
        ...given
          .filter((name) => !allRead.has(name) && !isSettingOfOthers(name, objects))
          .filter((name) => !used.includes(name) && !spoken.includes(`$${name}`))
          .map((name) => `nobody reads ${name}`),
        ...env
          .filter(({ name }) => name.startsWith("SLIDELIGHT_") && !own.has(name))
          .map(({ name }) => `${program} does not read ${name}`),
      ].map((fault) => `${label}, ${container.name}: ${fault}`);
    }),
  );

/** One ConfigMap is for all: what one container takes apart, another one does not. */
function isSettingOfOthers(name: string, objects: Objects): boolean {
  return workloads(objects).some(({ containers }) =>
    containers.some(
      ({ args = [], env = [] }) =>
        args.some((text) => expanded(text).includes(name)) ||
        env.some(({ valueFrom }) => valueFrom?.configMapKeyRef?.key === name),
    ),
  );
}

interface Selection {
  readonly what: string;
  readonly selector: Selector;
  /** Ports that are named, which each of the pods must have. */
  readonly ports?: readonly (string | number | undefined)[];
}

function selections(object: KubernetesObject): readonly Selection[] {
  const { kind, spec } = object;
  const what = labelOf(object);
  const selector = (spec?.selector ?? {}) as Selector;
  if (kind === "Deployment" || kind === "StatefulSet" || kind === "PodDisruptionBudget") return [{ what, selector }];
  if (kind === "Service") {
    const ports = (spec?.ports ?? []).map(({ targetPort }) => targetPort);
    return [{ what, selector: { matchLabels: (spec?.selector ?? {}) as Record<string, string> }, ports }];
  }
  if (kind === "PodMonitor")
    return [{ what, selector, ports: (spec?.podMetricsEndpoints ?? []).map(({ port }) => port) }];
  if (kind !== "NetworkPolicy") return [];
  const peers = [...(spec?.ingress ?? []), ...(spec?.egress ?? [])].flatMap(({ from = [], to = [] }) => [
    ...from,
    ...to,
  ]);
  return [
    {
      what,
      selector: spec?.podSelector ?? {},
      ports: (spec?.ingress ?? []).flatMap(({ ports = [] }) => ports.map(({ port }) => port)),
    },
    // Those in other namespaces are not ours to know.
    ...peers
      .filter(({ podSelector, namespaceSelector }) => podSelector !== undefined && namespaceSelector === undefined)
      .map(({ podSelector }) => ({ what: `${what}, peer`, selector: podSelector ?? {} })),
  ];
}

/** Every selector selects something, and every port that is named is there. */
const selectors: Policy = (objects) => [
  ...objects.flatMap(selections).flatMap(({ what, selector, ports = [] }) => {
    const selected = workloads(objects).filter(({ template }) => selects(selector, template.metadata.labels));
    if (selected.length === 0) return [`${what}: selects no pods`];
    return ports.flatMap((port) =>
      selected
        .filter(({ containers }) => !containers.some((container) => hasPort(container, port)))
        .map(({ label }) => `${what}: ${label} has no port ${port}`),
    );
  }),
  ...workloads(objects).flatMap(({ label, object, template: { metadata, spec }, containers }) => {
    const own =
      object.kind === "Deployment" || object.kind === "StatefulSet" ? (object.spec?.selector as Selector) : {};
    const spread = (spec.topologySpreadConstraints ?? []).map(({ labelSelector = {} }) => labelSelector);
    const probed = containers.flatMap((container) =>
      [container.startupProbe, container.livenessProbe, container.readinessProbe].flatMap((probe) => {
        const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
        return port === undefined || hasPort(container, port) ? [] : [`${label}: a probe asks a port ${port}`];
      }),
    );
    return [
      ...[own, ...spread]
        .filter((selector) => !selects(selector, metadata.labels))
        .map(() => `${label}: does not select its own pods`),
      ...probed,
    ];
  }),
];

const hasPort = ({ ports = [] }: Container, port: string | number | undefined): boolean =>
  ports.some(({ name, containerPort }) => name === port || containerPort === port);

/** What scales finds what it scales, and alone says how many there are. */
const scaling: Policy = (objects) => {
  const scalers = ofKind(objects, "ScaledObject", "HorizontalPodAutoscaler");
  return [
    ...scalers.flatMap((scaler) => {
      const target = found(objects, "Deployment", scaler.spec?.scaleTargetRef?.name ?? "");
      if (target === undefined) return [`${labelOf(scaler)}: there is nothing to scale`];
      return target.spec?.replicas === undefined
        ? []
        : [`${labelOf(scaler)}: ${labelOf(target)} has replicas of its own`];
    }),
    ...(scalers.length > 1 ? ["more than one scaler"] : []),
    ...ofKind(objects, "ScaledObject", "ScaledJob").flatMap((scaler) =>
      (scaler.spec?.triggers ?? [])
        .filter(
          ({ authenticationRef }) =>
            found(objects, "TriggerAuthentication", authenticationRef?.name ?? "") === undefined,
        )
        .map(({ name }) => `${labelOf(scaler)}: the trigger ${name} has no authentication`),
    ),
  ];
};

const clusterWide = ["Namespace", "PriorityClass"];

/** Everything is in one namespace, which refuses pods that want too much. */
const oneNamespace: Policy = (objects) => {
  const [namespace, ...others] = ofKind(objects, "Namespace");
  const level = namespace?.metadata.labels?.["pod-security.kubernetes.io/enforce"];
  return [
    ...(namespace === undefined || others.length > 0 ? ["not one namespace"] : []),
    ...(level === "restricted" ? [] : ["the namespace does not enforce restricted pods"]),
    ...objects
      .filter(({ kind, metadata }) => !clusterWide.includes(kind) && metadata.namespace !== namespace?.metadata.name)
      .map((object) => `${labelOf(object)}: is in another namespace`),
  ];
};

export const referencePolicies = { references, environment, selectors, scaling, oneNamespace } as const;
