// Builds the API server of Kubernetes with Go, for test/kubernetes/api-server.test.ts, which is skipped without it:
//   nice node scripts/kubernetes-api-server.mjs
// It takes 20 minutes on 2 cores, 2 GB of memory and 3 GB of disk. The test also needs etcd (Debian: etcd-server) and kubectl.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { call, main, say } from "./setup.mjs";

const version = "1.36.3";
/** What the cluster must know beside itself. */
const customResources = [
  ["github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases", /^keda\.sh_/u],
  [
    "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    "example/prometheus-operator-crd",
    /_(podmonitors|prometheusrules)/u,
  ],
];
const folder = join(homedir(), ".cache", "slidelight", "kubernetes");

const mainGo = `package main

import (
	"os"
	_ "time/tzdata"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
`;

function downloaded(module) {
  return JSON.parse(call("go", ["mod", "download", "-json", module], { quiet: true })).Dir;
}

await main(() => {
  if (existsSync(join(folder, "kube-apiserver"))) return 0;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(join(part, "crds"), { recursive: true });
  say(`fetching k8s.io/kubernetes ${version}`);
  const source = readFileSync(join(downloaded(`k8s.io/kubernetes@v${version}`), "go.mod"), "utf8");
  // Within its repository they lie beside it; each is also a module of its own, without the leading 1.
  const beside = [...source.matchAll(/^\s*(k8s\.io\/[\w./-]+)\s+v0\.0\.0$/gmu)].map(([, name]) => name);
  const replaced = [...new Set(beside)].map((name) => `\t${name} => ${name} v${version.replace(/^1\./u, "0.")}\n`);
  const [go = ""] = /^go .+$/mu.exec(source) ?? [];
  writeFileSync(join(part, "go.mod"), `module apiserver\n\n${go}\n\nreplace (\n${replaced.join("")})\n`);
  writeFileSync(join(part, "main.go"), mainGo);
  say("building kube-apiserver");
  for (const args of [
    ["get", `k8s.io/kubernetes/cmd/kube-apiserver/app@v${version}`],
    ["build", "-ldflags", "-s -w", "-o", "kube-apiserver", "."],
  ]) {
    const { status } = spawnSync("go", args, {
      cwd: part,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-modcacherw -mod=mod -p=1" },
    });
    if (status !== 0) throw new Error(`go ${args.join(" ")} failed`);
  }
  for (const [module, at, pattern] of customResources) {
    const from = join(downloaded(module), at);
    for (const file of readdirSync(from).filter((name) => pattern.test(name))) {
      copyFileSync(join(from, file), join(part, "crds", file));
    }
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
  return 0;
});
