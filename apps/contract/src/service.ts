export { openHealthServer } from "./health-server.ts";
export { failureFields, openLog } from "./log.ts";
export { openQueueMetrics } from "./queue-metrics.ts";
export type { QueueMetricsOptions } from "./queue-metrics.ts";
