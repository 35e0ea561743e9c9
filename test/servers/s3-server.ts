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
