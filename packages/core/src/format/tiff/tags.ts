/** The TIFF tags that are read, by their names in TIFF 6.0 and its supplements. */
export const tags = {
  newSubfileType: 254,
  imageWidth: 256,
  imageLength: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  imageDescription: 270,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  xResolution: 282,
  yResolution: 283,
  planarConfiguration: 284,
  t4Options: 292,
  t6Options: 293,
  resolutionUnit: 296,
  predictor: 317,
  colorMap: 320,
  tileWidth: 322,
  tileLength: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  yCbCrSubSampling: 530,
  referenceBlackWhite: 532,
  /** Hamamatsu's format version: only NDPI files have it. */
  ndpiFormat: 65_420,
} as const;

/** Compressions that the bundled libvips decodes. */
export const readableCompressions: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 7, 8, 32_773, 32_946]);

/** Names of the others, and what reads them. */
export const unreadableCompressions: Readonly<Record<number, { readonly name: string; readonly reader: string }>> = {
  6: { name: "old-style JPEG", reader: "libtiff's tiffcp" },
  33_003: { name: "JPEG 2000", reader: "OpenSlide or QuPath" },
  33_005: { name: "JPEG 2000", reader: "OpenSlide or QuPath" },
  34_712: { name: "JPEG 2000", reader: "OpenSlide or GDAL" },
  34_887: { name: "LERC", reader: "GDAL" },
  34_892: { name: "lossy DNG JPEG", reader: "a raw converter" },
  34_925: { name: "LZMA", reader: "libtiff's tiffcp" },
  34_926: { name: "old Zstandard", reader: "GDAL" },
  50_000: { name: "Zstandard", reader: "GDAL or libtiff's tiffcp" },
  50_001: { name: "WebP", reader: "GDAL or libtiff's tiffcp" },
  50_002: { name: "JPEG XL", reader: "GDAL" },
  52_546: { name: "JPEG XL (DNG)", reader: "GDAL" },
};
