/**
 * What a user says, as a queue takes it. Workers take the waiting list from its head, and the set of prioritised jobs only when
 * that list is empty. So nearly all jobs stay in the list, which is cheaper than the set: `high` goes to its head (the last one
 * first), and only `low` needs the set.
 */
export const priorities = {
  high: { lifo: true },
  normal: {},
  low: { priority: 1 },
} as const satisfies Readonly<Record<string, { readonly lifo?: true; readonly priority?: number }>>;

export type PriorityName = keyof typeof priorities;

export const priorityNames = ["high", "normal", "low"] as const satisfies readonly PriorityName[];
