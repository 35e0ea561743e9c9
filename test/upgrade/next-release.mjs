// The command of a later release: it knows version 2 of an image's job, which has one setting more.
import { imageJobVersions } from "@slidelight/contract";

imageJobVersions[2] = {
  read: ({ settings: { smooth: _, ...settings }, ...job }, noun) =>
    imageJobVersions[1].read({ ...job, version: 1, settings }, noun),
};
await import("../../apps/cli/bin/main.mjs");
