// How Node runs the command: needed before anything else is loaded. Benchmarks are run so too (`--require`).
const { availableParallelism } = require("node:os");
const { setFlagsFromString } = require("node:v8");

// libuv asks how many threads it should have when the first is needed, which loading an ES module already is. They decode, compress and write: with its
// usual four, a GPU waits for them.
process.env["UV_THREADPOOL_SIZE"] ??= String(Math.max(4, availableParallelism()));

// Pixels and maps lie outside of V8's heap, but count as if they filled it: for each slide of a few megapixels it would mark its objects twice, little by
// little, and whatever is written meanwhile takes longer. A third of the main thread's time went there. At one go it takes some milliseconds, a tenth as often.
setFlagsFromString("--no-incremental-marking");

// The S3 SDK says in seven lines, at the first request of every command, that its releases of 2027 will need Node 22. The release that is used here
// does not, and who runs the command can do nothing about it. Set to "false", the lines come.
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
