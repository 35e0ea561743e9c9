/** Kubernetes objects as far as the tests look at them; what they may be is checked against the schemas first. */
export type Labels = Readonly<Record<string, string>>;

export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

interface KeyReference {
  readonly name: string;
  readonly key: string;
  readonly optional?: boolean;
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number };
  readonly tcpSocket?: { readonly port: string | number };
  readonly exec?: { readonly command: readonly string[] };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string; readonly optional?: boolean };
    readonly secretRef?: { readonly name: string; readonly optional?: boolean };
  }[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly configMapKeyRef?: KeyReference; readonly secretKeyRef?: KeyReference };
  }[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels };
  readonly securityContext?: {
    readonly privileged?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly priorityClassName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly nodeSelector?: Labels;
  readonly tolerations?: readonly { readonly key?: string; readonly operator?: string; readonly effect?: string }[];
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly seccompProfile?: { readonly type: string };
  };
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: Selector }[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly (Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly emptyDir?: { readonly sizeLimit?: string };
  })[];
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels };
  readonly spec: PodSpec;
}

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

export interface NetworkRule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly protocol?: string; readonly port?: string | number }[];
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly data?: Labels;
  readonly automountServiceAccountToken?: boolean;
  readonly spec?: {
    readonly replicas?: number;
    readonly strategy?: { readonly rollingUpdate?: { readonly maxSurge: unknown; readonly maxUnavailable: unknown } };
    readonly selector?: unknown;
    readonly template?: PodTemplate;
    readonly jobTemplate?: { readonly spec: { readonly template: PodTemplate } };
    readonly jobTargetRef?: { readonly template: PodTemplate };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly podSelector?: Selector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly NetworkRule[];
    readonly egress?: readonly NetworkRule[];
    readonly ports?: readonly {
      readonly name?: string;
      readonly port: number;
      readonly targetPort?: string | number;
    }[];
    readonly podMetricsEndpoints?: readonly { readonly port: string }[];
    readonly scaleTargetRef?: { readonly kind?: string; readonly name: string };
    readonly advanced?: { readonly scalingModifiers?: { readonly formula: string } };
    readonly triggers?: readonly {
      readonly name: string;
      readonly type: string;
      readonly metadata: Labels;
      readonly authenticationRef?: { readonly name: string };
    }[];
    readonly groups?: unknown;
  };
}

export type Objects = readonly KubernetesObject[];

/** Finds what is wrong with an installation: a line for each fault. */
export type Policy = (objects: Objects) => readonly string[];

/** Whatever makes pods, with their template. */
export interface Workload {
  readonly label: string;
  readonly object: KubernetesObject;
  readonly template: PodTemplate;
  readonly containers: readonly Container[];
}

export function workloads(objects: Objects): readonly Workload[] {
  return objects.flatMap((object) => {
    const { spec } = object;
    const template = spec?.template ?? spec?.jobTemplate?.spec.template ?? spec?.jobTargetRef?.template;
    if (template?.spec === undefined) return [];
    const containers = [...(template.spec.initContainers ?? []), ...template.spec.containers];
    return [{ label: labelOf(object), object, template, containers }];
  });
}

export function labelOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}

export function ofKind(objects: Objects, ...kinds: readonly string[]): Objects {
  return objects.filter(({ kind }) => kinds.includes(kind));
}

/** Whether labels are among those that a selector means; one that says nothing means all. */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator !== "In") throw new Error(`The tests do not know the operator ${operator}.`);
      return values.includes(labels[key] ?? "");
    })
  );
}

export function componentOf({ template }: Workload): string {
  return template.metadata.labels["app.kubernetes.io/component"] ?? "";
}
