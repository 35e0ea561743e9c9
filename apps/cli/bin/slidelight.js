#!/usr/bin/env node
// CommonJS: an ES module is loaded too late for what `runtime.js` sets.
require("./runtime.js");
void import("./main.mjs");
