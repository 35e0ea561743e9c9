// npm run bench: sets up and builds, then runs the benchmarks. Arguments go to bench/index.mjs.
import { mainAfterSetUp } from "./setup.mjs";

await mainAfterSetUp("bench/index.mjs");
