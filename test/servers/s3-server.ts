import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GenericContainer } from "testcontainers";
import { dockerAnswers, findBinary, startChild } from "./child-server.ts";
import { freePort } from "./free-port.ts";

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const user = { region: "us-east-1", accessKeyId: "slidelight", secretAccessKey: "slidelight-secret" };
const userEnvironment = { ROOT_ACCESS_KEY: user.accessKeyId, ROOT_SECRET_KEY: user.secretAccessKey };

/** Why no S3 server can be had here; `undefined` when one can. */
export function s3Missing(): string | undefined {
  if (process.env["SLIDELIGHT_TEST_S3_ENDPOINT"] !== undefined || findBinary("versitygw") !== undefined)
    return undefined;
  if (dockerAnswers()) return undefined;
  return "no versitygw (npm test builds it where Go is), no container engine and no SLIDELIGHT_TEST_S3_ENDPOINT";
}

/**
 * An S3 server of the caller's own with files in a temporary folder: versitygw as a local process, else in a container;
 * or the one that the environment names, with its AWS credentials.
 */
export async function startS3Server(): Promise<S3Server> {
  const named = process.env["SLIDELIGHT_TEST_S3_ENDPOINT"];
  if (named !== undefined) {
    return {
      endpoint: named,
      region: process.env["AWS_REGION"] ?? user.region,
      accessKeyId: process.env["AWS_ACCESS_KEY_ID"] ?? user.accessKeyId,
      secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"] ?? user.secretAccessKey,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const binary = findBinary("versitygw");
  if (binary !== undefined) {
    const folder = await mkdtemp(join(tmpdir(), "slidelight-s3-"));
    const files = join(folder, "files");
    await mkdir(files);
    const port = await freePort();
    const args = ["--port", `127.0.0.1:${port}`, "posix", files];
    const server = await startChild(binary, args, { port, folder, env: userEnvironment });
    return {
      ...user,
      endpoint: `http://127.0.0.1:${port}`,
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
  if (!dockerAnswers()) throw new Error(`No S3 server: ${s3Missing() ?? ""}.`);
  const container = await new GenericContainer("versity/versitygw:latest")
    .withEnvironment(userEnvironment)
    .withCommand(["--port", ":7070", "posix", "/tmp"])
    .withExposedPorts(7070)
    .start();
  return {
    ...user,
    endpoint: `http://${container.getHost()}:${container.getMappedPort(7070)}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

export interface S3ServerWithUsers extends S3Server {
  secretOf(user: string): string;
}

/** Why no S3 server with users can be had here; `undefined` when one can. */
export function s3WithUsersMissing(): string | undefined {
  return findBinary("versitygw") === undefined ? "no versitygw (npm test builds it where Go is)" : undefined;
}

/** A versitygw with users beside the one that may do everything; what they may do, policies of buckets say. */
export async function startS3ServerWithUsers(users: readonly string[]): Promise<S3ServerWithUsers> {
  const binary = findBinary("versitygw");
  if (binary === undefined) throw new Error(`No S3 server: ${s3WithUsersMissing() ?? ""}.`);
  const folder = await mkdtemp(join(tmpdir(), "slidelight-s3-"));
  const [files, known] = [join(folder, "files"), join(folder, "users")];
  await Promise.all([mkdir(files), mkdir(known)]);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const args = ["--port", `127.0.0.1:${port}`, "--iam-dir", known, "posix", files];
  const server = await startChild(binary, args, { port, folder, env: userEnvironment });
  const secretOf = (name: string): string => `${name}-secret`;
  const admin = ["admin", "-a", user.accessKeyId, "-s", user.secretAccessKey, "-er", endpoint];
  for (const name of users) {
    execFileSync(binary, [...admin, "create-user", "-a", name, "-s", secretOf(name), "-r", "user"], { stdio: "pipe" });
  }
  return {
    ...user,
    endpoint,
    secretOf,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
