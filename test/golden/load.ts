import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { z } from "zod";
import { methodNames } from "../../packages/core/src/explain/methods/index.ts";

/** What PyTorch computed; `scripts/golden/README.md` defines it. */
const schema = z.object({
  image: z.object({ file: z.string(), width: z.number(), height: z.number() }),
  models: z.array(
    z.object({
      name: z.string(),
      stride: z.number(),
      inner: z.string(),
      logits: z.array(z.number()),
      extendedLogits: z.array(z.number()),
      maps: z.array(
        z.object({
          method: z.enum(methodNames),
          layer: z.enum(["pooled", "inner", "input"]),
          target: z.enum(["1", "1-0"]),
        }),
      ),
    }),
  ),
});

type Entry = z.infer<typeof schema>["models"][number]["maps"][number];

export interface GoldenMap extends Entry {
  /** Row-major, height x width, the method's values unscaled. */
  readonly values: Float32Array;
}

export interface GoldenModel {
  readonly name: string;
  /** The body's total stride. */
  readonly stride: number;
  /** Name of the inner layer in the ONNX file. */
  readonly inner: string;
  /** As Slidelight defines them: features cropped to the image, then pooled. */
  readonly logits: readonly number[];
  /** Of the plain network on the extended image. */
  readonly extendedLogits: readonly number[];
  readonly maps: readonly GoldenMap[];
  readonly onnx: Uint8Array;
}

export interface GoldenFiles {
  readonly image: {
    readonly path: string;
    readonly width: number;
    readonly height: number;
    /** RGB, row-major, height x width x 3. */
    readonly pixels: Uint8Array;
  };
  readonly models: readonly GoldenModel[];
}

function fileOf(name: string): URL {
  return new URL(name, import.meta.url);
}

export async function loadGolden(): Promise<GoldenFiles> {
  const { image, models } = schema.parse(JSON.parse(await readFile(fileOf("golden.json"), "utf8")));
  const pixels = await sharp(await readFile(fileOf(image.file)))
    .raw()
    .toBuffer();
  return {
    image: { ...image, path: fileOf(image.file).pathname, pixels: new Uint8Array(pixels) },
    models: await Promise.all(
      models.map(async ({ name, maps, ...rest }) => {
        const { shape, values } = parseNpy(await readFile(fileOf(`${name}.npy`)));
        const size = image.width * image.height;
        if (shape[0] !== maps.length || values.length !== maps.length * size) {
          throw new RangeError(
            `${name}.npy: expected ${maps.length} maps of ${size} values, got [${shape.join(", ")}].`,
          );
        }
        return {
          name,
          ...rest,
          maps: maps.map((map, index) => ({ ...map, values: values.slice(index * size, (index + 1) * size) })),
          onnx: new Uint8Array(await readFile(fileOf(`${name}.onnx`))),
        };
      }),
    ),
  };
}

/** NumPy's format 1.0, little-endian float32 in C order. */
function parseNpy(bytes: Uint8Array): { readonly shape: readonly number[]; readonly values: Float32Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 10 + view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, start));
  const shape = /'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]+)\)/.exec(header)?.[1];
  if (shape === undefined) throw new TypeError(`Expected float32 values in C order, got ${header}`);
  const values = new Float32Array((bytes.byteLength - start) / 4);
  for (let index = 0; index < values.length; index += 1) values[index] = view.getFloat32(start + index * 4, true);
  return {
    shape: shape
      .split(",")
      .filter((text) => text.trim() !== "")
      .map(Number),
    values,
  };
}
