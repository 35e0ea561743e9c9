import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const core = join(root, "packages/core/src");

/** Lowest first: a file imports from its own layer or a lower one. */
const layers = [
  "errors",
  "geometry",
  "graph",
  "model",
  "explain",
  "io",
  "format",
  "evaluate",
  "engine",
  "pipeline",
  "train",
  // What is public: all of it, and parts that load less.
  "read-model.ts",
  "request.ts",
  "index.ts",
];

const pure = new Set(["errors", "geometry", "graph", "model", "explain", "evaluate"]);
const appsOnly = ["bullmq", "ioredis", "prom-client", "pino", "commander", "http", "https", "node:http", "node:https"];

interface Import {
  readonly file: string;
  readonly layer: string;
  readonly specifier: string;
}

function sources(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.endsWith(".d.ts"))
    .filter((name) => !name.includes("node_modules") && !name.startsWith("dist"))
    .map((name) => join(folder, name));
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(file, "utf8");
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s+["']([^"']+)["']/gu,
  );
  const layer = relative(core, file).split("/")[0] ?? "";
  return [...found].map(([, from, dynamic, bare]) => ({ file, layer, specifier: from ?? dynamic ?? bare ?? "" }));
}

/** Suites that implementations of a port share are tests, though they are not run by themselves. */
const isSuite = (file: string): boolean => file.endsWith("-conformance.ts");

const coreFiles = sources(core).filter((file) => !isSuite(file));
const coreImports = coreFiles.flatMap(importsOf);

test("core has exactly the layers of the architecture", () => {
  expect(readdirSync(core).filter((name) => !layers.includes(name))).toEqual([]);
  expect(coreImports.length).toBeGreaterThan(100);
});

test("imports go down the layers only", () => {
  const upward = coreImports.flatMap(({ file, layer, specifier }) => {
    if (!specifier.startsWith(".")) return [];
    const to = relative(core, resolve(dirname(file), specifier)).split("/")[0] ?? "";
    return layers.indexOf(to) > layers.indexOf(layer) || !layers.includes(to)
      ? [`${relative(root, file)} -> ${specifier}`]
      : [];
  });
  expect(upward).toEqual([]);
});

test("how an image is cut into tiles is known without the rest of the pipeline", () => {
  const tiles = join(core, "pipeline/tiles");
  const leaving = coreImports.filter(({ file, specifier }) => {
    const to = relative(tiles, resolve(dirname(file), specifier));
    return dirname(file) === tiles && specifier.startsWith(".") && to.startsWith("../") && !to.startsWith("../../");
  });
  expect(coreImports.some(({ file }) => dirname(file) === tiles)).toBe(true);
  expect(leaving).toEqual([]);
});

test("geometry, graphs, models, explanations and scores import nothing from outside", () => {
  const impure = coreImports
    .filter(({ layer, specifier }) => pure.has(layer) && !specifier.startsWith("."))
    .map(({ file, specifier }) => `${relative(root, file)} -> ${specifier}`);
  expect(impure).toEqual([]);
});

test("queues, HTTP, metrics, logs and traces are used by applications alone", () => {
  const packages = readdirSync(join(root, "packages")).flatMap((name) => sources(join(root, "packages", name, "src")));
  const found = packages
    .filter((file) => !isSuite(file))
    .flatMap(importsOf)
    .filter(({ specifier }) => appsOnly.includes(specifier) || specifier.startsWith("@opentelemetry/"))
    .map(({ file, specifier }) => `${relative(root, file)} -> ${specifier}`);
  expect(found).toEqual([]);
});

/** It tells native libraries what only a variable can: to send no usage data, and how many threads to use. */
const silenced = ["packages/core/src/engine/environment.ts"];

test("packages ask neither the environment nor the console", () => {
  const packages = readdirSync(join(root, "packages")).flatMap((name) => sources(join(root, "packages", name, "src")));
  const found = packages
    .filter(
      (file) => !isSuite(file) && /\bprocess\.(?:env|argv|exit)\b|\bconsole\.\w/u.test(readFileSync(file, "utf8")),
    )
    .map((file) => relative(root, file));
  expect(found).toEqual(silenced);
});

test("OpenTelemetry is imported in one place, which is loaded when traces are on", () => {
  const apps = ["contract", "producer", "simulator", "worker"];
  const files = apps.flatMap((app) => sources(join(root, "apps", app, "src")));
  const imports = files.flatMap(importsOf).map(({ file, specifier }) => ({ file: relative(root, file), specifier }));
  const own = "apps/contract/src/open-telemetry.ts";
  const telemetry = imports.filter(({ specifier }) => specifier.startsWith("@opentelemetry/"));
  expect(new Set(telemetry.map(({ file }) => file))).toEqual(new Set([own]));
  const loading = imports.filter(({ specifier }) => specifier.endsWith("/open-telemetry.ts"));
  expect(loading.map(({ file }) => file)).toEqual(["apps/contract/src/tracing.ts"]);
  expect(readFileSync(join(root, "apps/contract/src/tracing.ts"), "utf8")).toContain(
    'await import("./open-telemetry.ts")',
  );
});

test("an application imports another one through the contract only", () => {
  const crossing = ["contract", "worker", "producer", "simulator", "trainer"].flatMap((app) =>
    sources(join(root, "apps", app, "src"))
      .flatMap(importsOf)
      .filter(({ specifier }) => specifier.startsWith("@slidelight/"))
      .filter(
        ({ specifier }) =>
          !(app === "contract" ? ["core"] : ["core", "contract"]).some((name) =>
            specifier.startsWith(`@slidelight/${name}`),
          ),
      )
      .map(({ file, specifier }) => `${relative(root, file)} -> ${specifier}`),
  );
  expect(crossing).toEqual([]);
});

/** The source of a sub-path of one of the project's packages. */
function sourceOf(name: string, path: string): string {
  const folder = join(root, name === "core" ? "packages" : "apps", name);
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, exports[`.${path}`]["@slidelight/source"]);
}

/** What a module loads as soon as it is imported, in turn: packages by their names, the project's own files by their paths. */
function loadedWith(entry: string, known: Set<string> = new Set()): ReadonlySet<string> {
  known.add(entry);
  const imports = readFileSync(entry, "utf8").matchAll(
    /(?:^|\n)(?:import|export)\s(?!type\b)[^;"']*?from\s*["']([^"']+)["']|(?:^|\n)import\s+["']([^"']+)["']/gu,
  );
  for (const [, from, bare] of imports) {
    const specifier = from ?? bare ?? "";
    const [, name, path] = /^@slidelight\/(core|contract)(\/.*)?$/u.exec(specifier) ?? [];
    if (name === undefined && !specifier.startsWith(".")) known.add(specifier);
    const file = name === undefined ? resolve(dirname(entry), specifier) : sourceOf(name, path ?? "");
    if (file.endsWith(".ts") && !known.has(file)) loadedWith(file, known);
  }
  return known;
}

const packagesOf = (entry: string): readonly string[] =>
  [...loadedWith(join(root, entry))].filter((name) => !name.startsWith("/") && !name.startsWith("node:")).sort();

test("a command waits only for the packages that it always needs", () => {
  const shared = ["commander", "zod"];
  for (const app of ["worker", "producer", "trainer", "simulator"]) {
    const computes = app === "simulator" ? ["protobufjs/minimal.js"] : [];
    expect(packagesOf(`apps/${app}/src/index.ts`), app).toEqual([...shared, ...computes].sort());
  }
  for (const command of ["explain", "inspect", "engines"]) {
    const found = packagesOf(`apps/worker/src/${command}-command.ts`);
    expect(found, command).toEqual([...shared, "protobufjs/minimal.js"].sort());
  }
  for (const command of ["status", "cancel", "pause", "retry", "report"]) {
    expect(packagesOf(`apps/producer/src/${command}-command.ts`), command).toEqual([...shared, "bullmq"].sort());
  }
  // What is loaded with them is found in this way.
  expect(packagesOf("apps/worker/src/worker-command.ts")).toEqual(expect.arrayContaining(["pino", "prom-client"]));
  expect(packagesOf("packages/core/src/io/s3-store.ts")).toEqual(expect.arrayContaining(["@aws-sdk/client-s3"]));
});
