import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@slidelight/core";
import type { ObjectStore, StoreSettings } from "@slidelight/core";
import { renderTissue } from "@slidelight/synthesis";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";
import { withoutTile } from "../damaged-tiff.ts";
import type { S3Server } from "../servers/s3-server.ts";
import { smallModel } from "../slidelight.ts";

/** Images in a bucket: small ones, two that are several shards, and two that cannot be explained. */
export interface Archive {
  readonly bucket: string;
  /** What `enqueue` is given, without where the results go. */
  readonly job: readonly string[];
  /** Keys of the images that can be explained. */
  readonly sound: readonly string[];
  /** What the others fail with, by their keys. */
  readonly poisoned: Readonly<Record<string, string>>;
  /** Not through any proxy: to look at what became of it. */
  readonly store: ObjectStore;
  readonly settings: StoreSettings;
  readonly client: S3Client;
}

/** One sweep and two; tiles so small that a few hundred pixels are several. */
const options = "--method cam,saliency --tile 128 --tissue off";
const smallImages = 3;
/** Few sizes, because images of one size share their compiled programs. */
const small = [
  { width: 240, height: 180 },
  { width: 200, height: 176 },
] as const;
const large = ["large/one.tif", "large/two.tif"] as const;
const largeSize = { width: 760, height: 500 };
const damaged = "poisoned/damaged.tif";
const text = "poisoned/text.png";

export async function makeArchive(server: S3Server): Promise<Archive> {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const bucket = `slidelight-faults-${process.pid}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const settings = { s3: { endpoint, region, credentials } };
  const store = openStore(`s3://${bucket}`, settings);
  await store.put("model/unet.onnx", smallModel());
  const sound: string[] = [];
  for (let index = 0; index < smallImages; index += 1) {
    const key = `slides/case ${index % 3}/${index}.${index % 3 === 1 ? "tif" : "png"}`;
    const size = small[index % small.length] ?? small[0];
    await store.put(key, await tissue({ ...size, seed: index, tiled: index % 3 === 1 }));
    sound.push(key);
  }
  for (const [index, name] of large.entries()) {
    await store.put(`slides/${name}`, await tissue({ ...largeSize, seed: 100 + index, tiled: true }));
    sound.push(`slides/${name}`);
  }
  await store.put(
    `slides/${damaged}`,
    // What is met only after much has been computed.
    withoutTile(await tissue({ width: 640, height: 500, seed: 7, tiled: true }), -1),
  );
  await store.put(`slides/${text}`, Buffer.from("Dear all, attached is the slide."));
  return {
    bucket,
    job: [`s3://${bucket}/slides/`, ...options.split(" "), "--model", `s3://${bucket}/model/unet.onnx`],
    sound: sound.sort(),
    poisoned: { [`slides/${damaged}`]: "image-corrupt", [`slides/${text}`]: "image-not-an-image" },
    store,
    settings,
    client,
  };
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  readonly tiled: boolean;
}

async function tissue({ width, height, seed, tiled }: Picture): Promise<Uint8Array> {
  const { rgb } = renderTissue({ x: 0, y: 0, width, height }, { seed, atypical: 0.5 });
  const image = sharp(rgb, { raw: { width, height, channels: 3 } });
  if (!tiled) return image.png().toBuffer();
  // sharp writes TIFF from the end of the file, so that it needs a file.
  const folder = await mkdtemp(join(tmpdir(), "slidelight-picture-"));
  try {
    const path = join(folder, "picture.tif");
    await image.tiff({ tile: true, tileWidth: 128, tileHeight: 128, compression: "deflate" }).toFile(path);
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
