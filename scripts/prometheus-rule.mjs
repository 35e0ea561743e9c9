// Writes the alert rules as the object that the Prometheus operator takes. To be run when deploy/prometheus/rules.yaml has changed:
//   node scripts/prometheus-rule.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

const rules = readFileSync(join(root, "deploy/prometheus/rules.yaml"), "utf8");
const head = `# Made by scripts/prometheus-rule.mjs from deploy/prometheus/rules.yaml: change that, and run it again.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: slidelight
  labels:
    app.kubernetes.io/part-of: slidelight
spec:
`;
writeFileSync(
  join(root, "deploy/k8s/components/monitoring/prometheus-rule.yaml"),
  head + rules.replaceAll(/^(?=.)/gmu, "  "),
);
