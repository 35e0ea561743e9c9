import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";

const folder = fileURLToPath(new URL("../deploy/compose", import.meta.url));
const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")));

const missing =
  spawnSync("docker", ["compose", "version"], { stdio: "ignore" }).status === 0
    ? undefined
    : "docker compose is not here (Debian: docker-compose)";

const duration = z.string().regex(/^\d+m\d+s$|^\d+s$/u);
const serviceSchema = z.object({
  image: z.string(),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal("ALL")]),
  security_opt: z.tuple([z.literal("no-new-privileges:true")]),
  networks: z.record(z.string(), z.unknown()),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  stop_grace_period: duration.optional(),
  ports: z.array(z.object({ host_ip: z.string() })).optional(),
});
const composeSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  networks: z.object({ inside: z.object({ internal: z.literal(true) }) }),
});

test("the compose file runs this version's images, and asks for every secret", () => {
  const text = readFileSync(`${folder}/compose.yaml`, "utf8");
  const example = readFileSync(`${folder}/.env.example`, "utf8");
  for (const [, given] of text.matchAll(/SLIDELIGHT_VERSION:-([^}]+)\}/gu)) expect(given).toBe(version);
  expect(example).toContain(`\nSLIDELIGHT_VERSION=${version}\n`);
  for (const secret of ["REDIS_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "GRAFANA_PASSWORD"]) {
    const uses = [...text.matchAll(new RegExp(`\\$\\{${secret}([^}]*)\\}`, "gu"))];
    expect(uses.length, secret).toBeGreaterThan(0);
    for (const [, rest] of uses) expect(rest, secret).toMatch(/^:\?/u);
    expect(example).toMatch(new RegExp(`^${secret}=\\S+$`, "mu"));
  }
});

test("the compose file mounts what is there", () => {
  const sources = [...readFileSync(`${folder}/compose.yaml`, "utf8").matchAll(/source: (\.\.\S+)/gu)].map(
    ([, path]) => path,
  );
  expect(sources.length).toBeGreaterThan(0);
  expect(sources.filter((path) => !existsSync(`${folder}/${path}`))).toEqual([]);
});

describe.skipIf(missing !== undefined)(
  `the compose file${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    test.each([["compose.yaml"], ["compose.gpu.yaml"]])("is valid, pinned and hardened: %s", (file) => {
      const files = file === "compose.yaml" ? [file] : ["compose.yaml", file];
      const args = ["compose", "--env-file", ".env.example", ...files.flatMap((name) => ["--file", name])];
      const { status, stdout, stderr } = spawnSync("docker", [...args, "config", "--format", "json"], {
        cwd: folder,
        encoding: "utf8",
      });
      expect(status, stderr).toBe(0);
      const { services } = composeSchema.parse(JSON.parse(stdout));
      expect(Object.keys(services).sort()).toEqual(["grafana", "planner", "prometheus", "redis", "s3", "worker"]);
      for (const [name, { image, ports, healthcheck, networks }] of Object.entries(services)) {
        expect(image, name).toMatch(/:v?\d+\.\d+\.\d+(?:-\w+)?$/u);
        for (const { host_ip } of ports ?? []) expect(host_ip, name).toBe("127.0.0.1");
        const own = image.startsWith("slidelight-");
        // Those of Slidelight have a health check in the image, and no way out.
        expect(healthcheck !== undefined, name).toBe(!own);
        if (own) expect(Object.keys(networks), name).toEqual(["inside"]);
      }
      for (const name of ["planner", "worker"]) expect(services[name]?.stop_grace_period, name).toBe("1m0s");
    });
  },
);
