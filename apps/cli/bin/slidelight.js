#!/usr/bin/env node
// CommonJS: libuv asks how many threads it should have when the first is needed, which loading an ES module already is. They
// decode, compress and write: with its usual four, a GPU waits for them.
const { availableParallelism } = require("node:os");

process.env["UV_THREADPOOL_SIZE"] ??= String(Math.max(4, availableParallelism()));
void import("./main.mjs");
