import { readFile } from "node:fs/promises";
import { CreateBucketCommand, PutBucketPolicyCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Redis } from "ioredis";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownRedisMissing, startRedisServer } from "../servers/redis-server.ts";
import type { RedisServer } from "../servers/redis-server.ts";
import { s3WithUsersMissing, startS3ServerWithUsers } from "../servers/s3-server.ts";
import type { S3ServerWithUsers } from "../servers/s3-server.ts";
import { openWorkplace, slidelight, smallModel } from "../slidelight.ts";
import type { Workplace } from "../slidelight.ts";

const missing = ownRedisMissing() ?? s3WithUsersMissing();
if (missing !== undefined) console.log(`skipped: ${missing}`);

const bucket = "my-archive";
const roles = ["worker", "producer"] as const;

interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
}

/** What docs/operations.md grants, as it stands there. */
async function granted() {
  const text = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const [, section = ""] = /^## Permissions\n(.*?)^## /msu.exec(text) ?? [];
  const policies = [...section.matchAll(/```json\n(.*?)```/gsu)].map(
    ([, json = ""]) => JSON.parse(json) as { readonly Statement: readonly Statement[] },
  );
  const [, rules = ""] = /^user slidelight on >PASSWORD (.*)$/mu.exec(section) ?? [];
  return { policies, rules: rules.split(" ") };
}

describe.skipIf(missing !== undefined)("the permissions of docs/operations.md", () => {
  let server: S3ServerWithUsers;
  let redis: RedisServer;
  let work: Workplace;
  let client: S3Client;
  let admin: Redis;
  beforeAll(async () => {
    server = await startS3ServerWithUsers(roles);
    redis = await startRedisServer();
    work = await openWorkplace();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
    admin = new Redis(redis.url);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const side = 512;
    const pixels = Buffer.from(Array.from({ length: side * side * 3 }, (_, index) => (index * index) % 251));
    const slide = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .tiff({ tile: true, tileWidth: 128, tileHeight: 128, compression: "deflate" })
      .toBuffer();
    for (const [Key, Body] of [
      ["slides/slide.tif", slide],
      ["models/unet.onnx", smallModel()],
    ] as const) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
    }
  });
  afterAll(async () => {
    admin.disconnect();
    client.destroy();
    await work[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const as = (role: (typeof roles)[number], ...args: readonly string[]) =>
    slidelight(args, {
      folder: work.folder,
      env: {
        REDIS_URL: redis.url.replace("redis://", "redis://slidelight:secret@"),
        SLIDELIGHT_QUEUE: "permissions",
        SLIDELIGHT_MODEL: `s3://${bucket}/models/unet.onnx`,
        SLIDELIGHT_OUT: `s3://${bucket}/maps`,
        AWS_ENDPOINT_URL_S3: server.endpoint,
        AWS_REGION: server.region,
        AWS_ACCESS_KEY_ID: role,
        AWS_SECRET_ACCESS_KEY: server.secretOf(role),
      },
    });

  /** Grants them, but for one action of S3. */
  async function grant({ without }: { readonly without?: string } = {}): Promise<void> {
    const { policies, rules } = await granted();
    expect(policies).toHaveLength(roles.length);
    const statements = policies.flatMap(({ Statement: own }, index) =>
      own.map((statement) => ({
        ...statement,
        Sid: `${roles[index]}${statement.Sid}`,
        Action: [statement.Action].flat().filter((action) => action !== without),
        Principal: { AWS: [roles[index]] },
      })),
    );
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: statements.filter(({ Action }) => Action.length > 0),
    });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    await admin.call("ACL", "SETUSER", "slidelight", "reset", "on", ">secret", ...rules);
  }

  test("are enough to divide an image, explain it, and leave it out the next time, and no more than that", async () => {
    await grant();
    const enqueue = (...args: readonly string[]) =>
      as("producer", "enqueue", `s3://${bucket}/slides/`, "--tile", "128", "--tissue", "off", ...args);
    expect(await enqueue()).toMatchObject({ status: 0 });
    const worker = await as(
      "worker",
      "worker",
      "--port",
      "0",
      "--engine",
      "onnxruntime",
      "--shard-seconds",
      "0.001",
      "--until-idle",
      "1",
    );
    expect(worker).toMatchObject({ status: 0, stderr: expect.stringContaining("image divided") });
    expect(worker.stderr).not.toMatch(/"level":(?:40|50)/u);
    const again = await enqueue("--new-only");
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining("1 left out") });
    expect(await admin.call("ACL", "LOG")).toEqual([]);

    // A producer writes nothing, and nobody deletes a result.
    const denied = expect.stringContaining("[store-denied]");
    expect(await as("producer", "explain", `s3://${bucket}/slides/slide.tif`, "--method", "cam")).toMatchObject({
      status: 1,
      stderr: denied,
    });
    await grant({ without: "s3:PutObject" });
    expect(await as("worker", "explain", `s3://${bucket}/slides/slide.tif`, "--method", "cam")).toMatchObject({
      status: 1,
      stderr: denied,
    });
    // Redis keeps the user to the queue's keys.
    const user = new Redis(redis.url, { username: "slidelight", password: "secret", maxRetriesPerRequest: 1 });
    await expect(user.set("other", "1")).rejects.toThrow("NOPERM");
    await expect(user.flushall()).rejects.toThrow("NOPERM");
    user.disconnect();
  });
});
