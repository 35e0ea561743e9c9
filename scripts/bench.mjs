// npm run bench: sets up and builds, then runs the benchmarks. Arguments go to bench/index.mjs.
import { availableParallelism } from "node:os";
import { mainAfterSetUp } from "./setup.mjs";

// As the slidelight command has it.
process.env["UV_THREADPOOL_SIZE"] ??= String(Math.max(4, availableParallelism()));
await mainAfterSetUp("bench/index.mjs");
