import { producerFaults } from "./producer-faults.ts";
import { redisFaults } from "./redis-faults.ts";
import { scratchFaults } from "./scratch-faults.ts";
import { storeFaults } from "./store-faults.ts";
import { faultSuite } from "./suite.ts";

faultSuite(producerFaults, redisFaults, storeFaults, scratchFaults);
