import { calmRuns } from "./calm-runs.ts";
import { faultSuite } from "./suite.ts";
import { workerFaults } from "./worker-faults.ts";

faultSuite(calmRuns, workerFaults);
