// npm run setup:openvino: puts OpenVINO's C library into the cache folder, where the engine finds it.
import { installOpenVino } from "./openvino.mjs";
import { main, say } from "./setup.mjs";

await main(() => {
  const { version, folder, known } = installOpenVino();
  say(`OpenVINO ${version} ${known ? "was there already" : "is there"}: ${folder}`);
  return 0;
});
