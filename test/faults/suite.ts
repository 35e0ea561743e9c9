import { afterAll, beforeAll, describe } from "vitest";
import { redisMissing } from "../servers/redis-server.ts";
import { s3Missing } from "../servers/s3-server.ts";
import { openGround } from "./ground.ts";
import type { Ground } from "./ground.ts";

/** Scenarios on one archive with servers of their own. A file holds some of them, so that files run beside each other. */
export function faultSuite(...scenarios: readonly ((ground: () => Ground) => void)[]): void {
  const missing = redisMissing() ?? s3Missing();
  if (missing !== undefined) console.warn(`Tests with faults are skipped: there is ${missing}.`);

  describe.skipIf(missing !== undefined)("an archive is explained once, and alike byte for byte,", () => {
    let opened: Ground | undefined;
    const ground = (): Ground => {
      if (opened === undefined) throw new Error("The archive was not made.");
      return opened;
    };
    beforeAll(async () => {
      opened = await openGround();
    });
    afterAll(() => opened?.[Symbol.asyncDispose]());
    for (const scenario of scenarios) scenario(ground);
  });
}
