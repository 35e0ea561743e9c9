// npm run setup:tfjs: puts TensorFlow.js with libtensorflow into the cache folder, where the engine finds it.
import { main, say } from "./setup.mjs";
import { installTfjs } from "./tfjs.mjs";

await main(() => {
  const { version, tensorflow, folder, known } = installTfjs();
  say(`TensorFlow.js ${version} with TensorFlow ${tensorflow} ${known ? "was there already" : "is there"}: ${folder}`);
  return 0;
});
