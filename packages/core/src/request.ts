// What work is told by: places, models by name, targets, results that are there. For whoever asks for it and does none of it: a
// command starts in half the time without the rest.
export { mostThreads } from "./engine/check-settings.ts";
export { chooseEngine } from "./engine/choose-engine.ts";
export { engineChoices, engineNames, openEngine } from "./engine/engines.ts";
export { errorCodes, isRetryable } from "./errors/codes.ts";
export { messageOf } from "./errors/message-of.ts";
export { schemaFaults } from "./errors/schema-faults.ts";
export { SlidelightError } from "./errors/slidelight-error.ts";
export { methodNames } from "./explain/methods/index.ts";
export { parseTarget } from "./explain/target.ts";
export { manifestName } from "./format/output/commit.ts";
export { parseManifest } from "./format/output/manifest.ts";
export { expectFolder } from "./io/expect-folder.ts";
export { fileError } from "./io/io-error.ts";
export { parseLocation } from "./io/location.ts";
export { openSource, openStore } from "./io/open.ts";
export { statOf } from "./io/stat-of.ts";
export { runId } from "./pipeline/run-id.ts";
export { versions } from "./pipeline/versions.ts";
