import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@slidelight/core";
import { renderTissue } from "@slidelight/synthesis";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";
import type { Archive } from "../faults/archive.ts";
import type { S3Server } from "../servers/s3-server.ts";
import { smallModel } from "../slidelight.ts";

const size = { width: 1280, height: 1024 };

/** An archive of one slide that is many shards, in two sweeps. */
export async function makeSlide({ endpoint, region, accessKeyId, secretAccessKey }: S3Server): Promise<Archive> {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const bucket = `slidelight-upgrade-${process.pid}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const settings = { s3: { endpoint, region, credentials } };
  const store = openStore(`s3://${bucket}`, settings);
  await store.put("model/unet.onnx", smallModel());
  await store.put("slides/slide.tif", await slide());
  const options = "--method cam,saliency --tile 256 --tissue off";
  return {
    bucket,
    job: [`s3://${bucket}/slides/`, ...options.split(" "), "--model", `s3://${bucket}/model/unet.onnx`],
    sound: ["slides/slide.tif"],
    poisoned: {},
    store,
    settings,
    client,
  };
}

async function slide(): Promise<Uint8Array> {
  const { rgb } = renderTissue({ x: 0, y: 0, ...size }, { seed: 11, atypical: 0.5 });
  const folder = await mkdtemp(join(tmpdir(), "slidelight-slide-"));
  try {
    // sharp writes TIFF from the end of the file, so that it needs a file.
    const path = join(folder, "slide.tif");
    await sharp(rgb, { raw: { ...size, channels: 3 } })
      .tiff({ tile: true, tileWidth: 128, tileHeight: 128, compression: "deflate" })
      .toFile(path);
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
