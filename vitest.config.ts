import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
import type { TestSpecification } from "vitest/node";

/** Tests see the sources, so that a test run needs no build; worker threads and processes see `dist`. */
const resolve = { conditions: ["@slidelight/source"] };
const ssr = { resolve };

/** Suites of minutes begin first: one that begins last runs on alone, while the other cores wait. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => moduleId.includes("/test/faults/");
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    globalSetup: "test/hygiene.ts",
    // Many tests wait for processes and servers: one core for each file is enough, and none is spared.
    maxWorkers: availableParallelism(),
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: "unit",
          // They keep nothing between tests, and need not load everything anew for each file.
          isolate: false,
          include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        resolve,
        ssr,
        test: { name: "whole", include: ["test/**/*.test.ts"], testTimeout: 180_000, hookTimeout: 300_000 },
      },
    ],
  },
});
