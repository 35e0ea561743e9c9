// npm run setup:tfjs: puts TensorFlow.js with libtensorflow into the cache folder, where the engine finds it; with --gpu, one
// for NVIDIA GPUs.
import { main, say } from "./setup.mjs";
import { installTfjs } from "./tfjs.mjs";

await main(() => {
  const gpu = process.argv.includes("--gpu");
  const { version, folder, known } = installTfjs({ gpu });
  say(`TensorFlow.js ${version} with libtensorflow ${known ? "was there already" : "is there"}: ${folder}`);
  return 0;
});
