/** Queues of one class of workers; a queue refuses a `:` in its name. */
const named = (kind: string) => (suffix: string | undefined) =>
  suffix === undefined ? `slidelight-${kind}` : `slidelight-${kind}-${suffix}`;

/** One job an image. */
export const imageQueueName = named("images");

/** One job a shard of a large image: children of its image's job. */
export const shardQueueName = named("shards");

/** One job each time that a schedule is due, whichever queue its images go to. */
export const planQueueName = "slidelight-plans";
