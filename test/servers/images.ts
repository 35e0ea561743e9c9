import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { GenericContainer } from "testcontainers";
import { z } from "zod";
import { dockerAnswers } from "./child-server.ts";

const root = new URL("../../", import.meta.url);
const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("package.json", root), "utf8")));

/** The images that `npm run images` builds. */
export const images = {
  producer: `slidelight-producer:${version}`,
  workerCpu: `slidelight-worker-cpu:${version}`,
} as const;

/** What `npm run images -- --stand-in` makes where nothing can be pulled. */
const redisStandIn = "slidelight-stand-in-redis:trixie";

function isThere(image: string): boolean {
  return spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" }).status === 0;
}

/** Why the images can't be run here; `undefined` when they can. */
export function imagesMissing(): string | undefined {
  if (!dockerAnswers()) return "no container engine answers";
  const absent = Object.values(images).filter((image) => !isThere(image));
  return absent.length === 0 ? undefined : `no image ${absent.join(", ")}: npm run images`;
}

/** Where the bases were stand-ins, nothing is pulled: neither Redis nor what testcontainers cleans up with. */
export function redisImage(): string {
  if (isThere(redisStandIn)) {
    process.env["TESTCONTAINERS_RYUK_DISABLED"] ??= "true";
    return redisStandIn;
  }
  const compose = readFileSync(new URL("deploy/compose/compose.yaml", root), "utf8");
  return /image: (redis:\S+)/u.exec(compose)?.[1] ?? "redis:8";
}

/** A container as a cluster runs it: the image can't be written to, and the process has no privileges. */
export class HardenedContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.withDroppedCapabilities("ALL")
      .withSecurityOpt("no-new-privileges:true")
      .withTmpFs({ "/scratch": "mode=1777" });
  }
}

const stateSchema = z.object({
  ExitCode: z.number(),
  Health: z.object({ Status: z.string() }).optional(),
});

/** What the engine says of a container. */
export function stateOf(id: string): { readonly exitCode: number; readonly health: string | undefined } {
  const { stdout } = spawnSync("docker", ["inspect", "--format", "{{json .State}}", id], { encoding: "utf8" });
  const state = stateSchema.parse(JSON.parse(stdout));
  return { exitCode: state.ExitCode, health: state.Health?.Status };
}

/** Also one that was stopped and kept, to see how it ended. */
export function removeContainer(id: string): void {
  spawnSync("docker", ["rm", "--force", "--volumes", id], { stdio: "ignore" });
}
