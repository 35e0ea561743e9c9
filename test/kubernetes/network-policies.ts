import { componentOf, labelOf, ofKind, selects, workloads } from "./objects.ts";
import type { NetworkRule, Objects, Policy, Workload } from "./objects.ts";

const clients = ["worker", "planner", "enqueue"];

/** Rules of one direction that are for a workload's pods. */
function rulesFor({ template }: Workload, direction: "ingress" | "egress", objects: Objects): readonly NetworkRule[] {
  return ofKind(objects, "NetworkPolicy")
    .filter(({ spec }) => selects(spec?.podSelector ?? {}, template.metadata.labels))
    .flatMap(({ spec }) => spec?.[direction] ?? []);
}

const portsOf = ({ ports = [] }: NetworkRule) => ports.map(({ port }) => port);

/** Nothing goes in or out that is not allowed. */
const denied: Policy = (objects) =>
  ofKind(objects, "NetworkPolicy").some(
    ({ spec }) =>
      Object.keys(spec?.podSelector ?? {}).length === 0 &&
      spec?.policyTypes?.includes("Ingress") === true &&
      spec.policyTypes.includes("Egress") &&
      (spec.ingress ?? []).length + (spec.egress ?? []).length === 0,
  )
    ? []
    : ["no policy denies what none allows"];

/** Whatever talks to the queue reaches names, Redis and S3, and nothing but that. */
const egress: Policy = (objects) => [
  ...ofKind(objects, "NetworkPolicy").flatMap((policy) =>
    (policy.spec?.egress ?? []).flatMap((rule) => [
      ...(rule.to === undefined || rule.to.length === 0 ? [`${labelOf(policy)}: goes everywhere`] : []),
      ...(portsOf(rule).length === 0 ? [`${labelOf(policy)}: goes to every port`] : []),
      ...(rule.to ?? [])
        .filter(({ ipBlock }) => ipBlock !== undefined && ipBlock.cidr.endsWith("/0"))
        .flatMap(({ ipBlock }) => [
          ...(portsOf(rule).every((port) => port === 443)
            ? []
            : [`${labelOf(policy)}: goes everywhere, and not by 443`]),
          ...(ipBlock?.cidr !== "0.0.0.0/0" || ipBlock.except?.includes("169.254.0.0/16") === true
            ? []
            : [`${labelOf(policy)}: reaches the machine's own services`]),
        ]),
    ]),
  ),
  ...workloads(objects)
    .filter((workload) => clients.includes(componentOf(workload)))
    .flatMap((workload) => {
      const rules = rulesFor(workload, "egress", objects);
      const goals: readonly (readonly [what: string, port: number])[] = [
        ["names (53)", 53],
        ["S3 (443)", 443],
        ["Redis (6379)", 6379],
      ];
      return goals
        .filter(([, port]) => !rules.some((rule) => portsOf(rule).includes(port)))
        .map(([what]) => `${workload.label}: does not reach ${what}`);
    }),
  ...workloads(objects)
    .filter((workload) => !clients.includes(componentOf(workload)))
    .filter((workload) => rulesFor(workload, "egress", objects).some((rule) => !portsOf(rule).includes(53)))
    .map(({ label }) => `${label}: goes out`),
];

/** Metrics are for the monitoring alone, Redis for its clients and what scales them. */
const ingress: Policy = (objects) =>
  workloads(objects).flatMap((workload) => {
    const component = componentOf(workload);
    const rules = rulesFor(workload, "ingress", objects);
    const peers = rules.flatMap(({ from = [] }) => from);
    const open = rules
      .filter(({ from = [] }) => from.length === 0)
      .map(() => `${workload.label}: takes calls of everybody`);
    if (clients.includes(component)) {
      const strangers = peers.filter(
        ({ namespaceSelector }) => namespaceSelector?.matchLabels?.["kubernetes.io/metadata.name"] !== "monitoring",
      );
      return [...open, ...strangers.map(() => `${workload.label}: takes calls of others than the monitoring`)];
    }
    const calling = workloads(objects).filter((client) => clients.includes(componentOf(client)));
    return [
      ...open,
      ...calling
        .filter(
          ({ template }) =>
            !peers.some(
              ({ podSelector, namespaceSelector }) =>
                namespaceSelector === undefined &&
                podSelector !== undefined &&
                selects(podSelector, template.metadata.labels),
            ),
        )
        .map(({ label }) => `${workload.label}: does not take calls of ${label}`),
      ...(component === "redis" &&
      ofKind(objects, "ScaledObject", "ScaledJob").length > 0 &&
      !peers.some(({ namespaceSelector }) => namespaceSelector?.matchLabels?.["kubernetes.io/metadata.name"] === "keda")
        ? [`${workload.label}: does not take calls of KEDA`]
        : []),
    ];
  });

export const networkPolicies = { denied, egress, ingress } as const;
