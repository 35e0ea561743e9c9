import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, CreateMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openImage } from "../packages/core/src/format/images/open-image.ts";
import { levelIndex } from "../packages/core/src/geometry/units.ts";
import { byteSourceConformance } from "../packages/core/src/io/byte-source-conformance.ts";
import { objectStoreConformance } from "../packages/core/src/io/object-store-conformance.ts";
import { observed } from "../packages/core/src/io/observed.ts";
import { openSource, openStore } from "../packages/core/src/io/open.ts";
import type { StoreSettings } from "../packages/core/src/io/open.ts";
import { s3Client } from "../packages/core/src/io/s3-client.ts";
import type { S3Settings } from "../packages/core/src/io/s3-client.ts";
import { startS3Server } from "./servers/s3-server.ts";

let server: Awaited<ReturnType<typeof startS3Server>> | undefined;
let s3: S3Settings = {};
let settings: StoreSettings = {};
const bucket = "slidelight-test";

beforeAll(async () => {
  server = await startS3Server();
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  s3 = { endpoint, region, credentials: { accessKeyId, secretAccessKey }, pathStyle: true, checksums: "WHEN_REQUIRED" };
  settings = { s3 };
  await s3Client(s3).send(new CreateBucketCommand({ Bucket: bucket }));
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** A server that answers as the test says. */
async function startHttp(answer: RequestListener): Promise<AsyncDisposable & { readonly endpoint: string }> {
  const http = createServer(answer);
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
    },
  };
}

let prefixes = 0;
const newPrefix = (): string => {
  prefixes += 1;
  return `s3://${bucket}/prefix ${prefixes}/ä`;
};

objectStoreConformance("S3", async () => openStore(newPrefix(), settings));
byteSourceConformance("S3", async (content) => {
  const uri = newPrefix();
  await openStore(uri, settings).put("object", content);
  return openSource(`${uri}/object`, settings);
});

describe("S3", () => {
  it("lists more keys than one page holds", async () => {
    const store = openStore(newPrefix(), settings);
    const keys = Array.from({ length: 1_203 }, (_, index) => `k/${String(index).padStart(5, "0")}`);
    for (let start = 0; start < keys.length; start += 100) {
      await Promise.all(keys.slice(start, start + 100).map((key) => store.put(key, Buffer.from("x"))));
    }
    const found: string[] = [];
    for await (const { key } of store.list("k/")) found.push(key);
    expect(found).toEqual(keys);
  });

  it("gives up uploads that nobody completed below a prefix, and nothing else", async () => {
    const uri = newPrefix();
    const prefix = `${uri.slice(`s3://${bucket}/`.length)}/`;
    const client = s3Client(s3);
    for (const key of ["run/map.tif", "run/other.tif", "elsewhere/map.tif"]) {
      await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: prefix + key }));
    }
    const open = async (): Promise<readonly (string | undefined)[]> => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
      return Uploads.map(({ Key }) => Key?.slice(prefix.length));
    };
    expect(await open()).toHaveLength(3);
    const now = { olderThanMs: 0 };
    await openStore(uri, settings).giveUpWrites("run/");
    expect(await open()).toHaveLength(3);
    await openStore(uri, settings).giveUpWrites("run/", now);
    expect(await open()).toEqual(["elsewhere/map.tif"]);
    await openStore(uri, settings).giveUpWrites("", now);
    expect(await open()).toEqual([]);
  });

  it("tells versions apart by size and time where the server gives no ETag", async () => {
    const conditions: (string | undefined)[] = [];
    let modified = "Wed, 25 Nov 2026 08:00:00 GMT";
    await using http = await startHttp((request, response) => {
      const head = request.method === "HEAD";
      if (!head) conditions.push(request.headers["if-match"]);
      response.writeHead(head ? 200 : 206, { "content-length": head ? "100" : "10", "last-modified": modified });
      response.end(head ? undefined : "0123456789");
    });
    const own = { s3: { ...s3, endpoint: http.endpoint } };
    const versionNow = async (): Promise<string> => {
      await using source = await openSource(`s3://${bucket}/k`, own);
      expect(await source.read({ offset: 0, length: 10 })).toHaveLength(10);
      expect((await openStore(`s3://${bucket}`, own).head("k"))?.etag).toBe(source.etag);
      return source.etag;
    };
    const first = await versionNow();
    expect(first).toBe("100-1795593600");
    modified = "Wed, 25 Nov 2026 08:00:01 GMT";
    expect(await versionNow()).not.toBe(first);
    expect(conditions).toEqual([undefined, undefined]);
  });

  it("meets an object that was replaced as changed", async () => {
    const uri = newPrefix();
    const store = openStore(uri, settings);
    await store.put("k", Buffer.from("old"));
    await using source = await openSource(`${uri}/k`, settings);
    await store.put("k", Buffer.from("new and longer"));
    await expect(source.read({ offset: 0, length: 3 })).rejects.toMatchObject({ code: "image-changed" });
  });

  it.each([
    ["a missing key", (): string => `s3://${bucket}/no/such key.svs`, "image-not-found"],
    ["a missing bucket", (): string => "s3://no-such-bucket/key", "store-not-found"],
    ["a key with ..", (): string => `s3://${bucket}/../key`, "key-invalid"],
  ])("says what is wrong with %s", async (_, uri, code) => {
    await expect(openSource(uri(), settings)).rejects.toMatchObject({ code });
  });

  it("says that a bucket to write to is missing, also where something is only looked up", async () => {
    const store = openStore("s3://no-such-bucket", settings);
    const missing = (operation: string) => ({
      code: "store-not-found",
      message: expect.stringMatching(
        new RegExp(`^${operation} .* failed: NoSuchBucket .* There is no such bucket`, "u"),
      ),
    });
    await expect(store.head("k")).rejects.toMatchObject(missing("Looking up"));
    await store.giveUpWrites("k/");
    await expect(store.put("k", Buffer.from("x"))).rejects.toMatchObject(missing("Writing"));
  });

  it("asks once whether it is the bucket that is missing", async () => {
    const requests: string[] = [];
    await using empty = await startHttp((request, response) => {
      requests.push(request.method ?? "");
      response.writeHead(404).end(request.method === "HEAD" ? undefined : "<Error><Code>NoSuchKey</Code></Error>");
    });
    const store = openStore(`s3://${bucket}`, { s3: { ...s3, endpoint: empty.endpoint } });
    for (const key of ["a", "b", "c"]) expect(await store.head(key)).toBeUndefined();
    expect(requests).toEqual(["HEAD", "GET", "HEAD", "HEAD"]);
  });

  it("says why a server refuses a request whose answer has no reason in it", async () => {
    await using strict = await startHttp((request, response) => {
      response
        .writeHead(400)
        .end(request.method === "HEAD" ? undefined : "<Error><Code>InvalidBucketName</Code></Error>");
    });
    const own = { s3: { ...s3, endpoint: strict.endpoint } };
    const refusal = { code: "key-invalid", message: expect.stringContaining("InvalidBucketName") };
    await expect(openStore(`s3://Old_Bucket`, own).head("k")).rejects.toMatchObject(refusal);
    await expect(openSource(`s3://Old_Bucket/k`, own)).rejects.toMatchObject(refusal);
  });

  it("says that no region is set, which no other try changes", async () => {
    // What the machine's own profile says does not count here.
    const files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION"];
    for (const name of files) vi.stubEnv(name, name === "AWS_REGION" ? undefined : "/dev/null");
    try {
      const { credentials } = s3;
      const own = { s3: { attempts: 1, ...(credentials && { credentials }) } };
      await expect(openSource(`s3://${bucket}/k`, own)).rejects.toMatchObject({
        code: "store-denied",
        message: expect.stringMatching(/failed: Region is missing\. Set AWS_REGION/u),
      });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("says that it was refused", async () => {
    const wrong = { s3: { ...s3, credentials: { accessKeyId: "nobody", secretAccessKey: "nothing" } } };
    await expect(openSource(`s3://${bucket}/k`, wrong)).rejects.toMatchObject({
      code: "store-denied",
      message: expect.stringContaining("access key"),
    });
  });

  it("says that it can't be reached", async () => {
    const nowhere = { s3: { ...s3, endpoint: "http://127.0.0.1:9", attempts: 1 } };
    await expect(openSource(`s3://${bucket}/k`, nowhere)).rejects.toMatchObject({ code: "store-unavailable" });
  });

  it.each(["answer", "finish its answer"])("gives up a server that does not %s", async (silence) => {
    await using silent = await startHttp((request, response) => {
      if (silence === "answer" && request.method === "GET") return;
      const head = request.method === "HEAD";
      response.writeHead(head ? 200 : 206, { "content-length": head ? "100" : "10", etag: '"1"' });
      if (head) response.end();
      else response.write(Buffer.alloc(3));
    });
    const store = openStore(`s3://${bucket}`, {
      s3: { ...s3, endpoint: silent.endpoint, silenceMs: 200, attempts: 1 },
    });
    await using source = await store.open("k");
    await expect(source.read({ offset: 10, length: 10 })).rejects.toMatchObject({ code: "store-unavailable" });
  });

  it("knows its own upload when the answer to its completion was lost", async () => {
    let writer = "";
    let completions = 0;
    await using forgetful = await startHttp((request, response) => {
      const meta = request.headers["x-amz-meta-slidelight-put"];
      if (typeof meta === "string") writer = meta;
      request.resume().once("end", () => {
        const query = new URL(request.url ?? "/", "http://localhost").searchParams;
        if (request.method === "HEAD") {
          response.writeHead(200, { "content-length": "100", etag: '"1"', "x-amz-meta-slidelight-put": writer }).end();
        } else if (request.method === "PUT") {
          response.writeHead(200, { etag: '"part"' }).end();
        } else if (query.has("uploads")) {
          response.end("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>");
        } else if (request.method === "POST" && (completions += 1) === 1) {
          request.socket.destroy();
        } else {
          response.writeHead(404).end("<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>");
        }
      });
    });
    const folder = await mkdtemp(join(tmpdir(), "slidelight-upload-"));
    try {
      const path = join(folder, "file");
      await writeFile(path, Buffer.alloc(9_000_000, 1));
      const store = openStore(`s3://${bucket}`, { s3: { ...s3, endpoint: forgetful.endpoint } });
      expect(await store.putFile("k", path, { ifAbsent: true })).toBe("written");
      expect(completions).toBe(2);
      await expect(store.putFile("k", path)).rejects.toMatchObject({ code: "store-unavailable" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("repeats requests however many have been repeated before", async () => {
    const tries = new Map<string, number>();
    await using busy = await startHttp((request, response) => {
      const path = request.url ?? "/";
      tries.set(path, (tries.get(path) ?? 0) + 1);
      request.resume().once("end", () => {
        if ((tries.get(path) ?? 0) > 2) response.writeHead(200, { etag: '"1"' }).end();
        else request.socket.destroy();
      });
    });
    const store = openStore(`s3://${bucket}`, { s3: { ...s3, endpoint: busy.endpoint } });
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => store.put(key, Buffer.from("x"))));
    expect([...tries.values()]).toEqual(keys.map(() => 3));
  });

  it("gives a request up after so many tries, and at once when it is no use", async () => {
    const tries: string[] = [];
    await using broken = await startHttp((request, response) => {
      tries.push(request.method ?? "");
      request.resume().once("end", () => response.writeHead(request.method === "PUT" ? 503 : 403).end());
    });
    const retries: string[] = [];
    const onRetry = (reason: string) => void retries.push(reason);
    const store = openStore(`s3://${bucket}`, { s3: { ...s3, endpoint: broken.endpoint, attempts: 3, onRetry } });
    await expect(store.put("k", Buffer.from("x"))).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(store.head("k")).rejects.toMatchObject({ code: "store-denied" });
    expect(tries).toEqual(["PUT", "PUT", "PUT", "HEAD"]);
    expect(retries).toEqual(["failed", "failed"]);
  });

  it("refuses a whole object in place of a range", async () => {
    await using rude = await startHttp((request, response) => {
      response.writeHead(200, { "content-length": "100", etag: '"1"' });
      response.end(request.method === "HEAD" ? undefined : Buffer.alloc(100));
    });
    const store = openStore(`s3://${bucket}`, { s3: { ...s3, endpoint: rude.endpoint } });
    await using source = await store.open("k");
    await expect(source.read({ offset: 10, length: 10 })).rejects.toMatchObject({
      code: "store-unavailable",
      message: expect.stringContaining("expected 206"),
    });
  });

  it("leaves no parts of an upload that was given up", async () => {
    const folder = await mkdtemp(join(tmpdir(), "slidelight-upload-"));
    try {
      const path = join(folder, "file");
      await writeFile(path, Buffer.alloc(40_000_000, 1));
      const controller = new AbortController();
      const store = openStore(newPrefix(), settings);
      const put = store.putFile("big", path, { signal: controller.signal });
      setTimeout(() => controller.abort("enough"), 30);
      await expect(put).rejects.toBe("enough");
      expect(await store.head("big")).toBeUndefined();
      await expect
        .poll(async () => {
          const left = await s3Client(s3).send(new ListMultipartUploadsCommand({ Bucket: bucket }));
          return left.Uploads?.length ?? 0;
        })
        .toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("gives a region of a tiled TIFF without the rest of the file", async () => {
    const uri = newPrefix();
    const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
    const tiff = await sharp({ create: { width: 2_048, height: 2_048, channels: 3, background: "#fff", noise } })
      .tiff({ compression: "deflate", tile: true, tileWidth: 256, tileHeight: 256 })
      .toBuffer();
    await openStore(uri, settings).put("slide.tif", tiff);
    let read = 0;
    const source = observed(await openSource(`${uri}/slide.tif`, settings), (bytes) => {
      read += bytes;
    });
    await using image = await openImage(`${uri}/slide.tif`, source);
    const region = await image.read(levelIndex(0), { x: 300, y: 300, width: 300, height: 200 });
    const wanted = await sharp(tiff).extract({ left: 300, top: 300, width: 300, height: 200 }).raw().toBuffer();
    expect(Buffer.compare(Buffer.from(region.data.buffer), wanted)).toBe(0);
    expect(read).toBeLessThan(tiff.length / 8);
  });
});
