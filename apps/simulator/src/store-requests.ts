/** Requests by what they are for, and what they are paid as. */
const requestKinds = {
  "GET image": "read",
  "GET checkpoint": "read",
  "GET plan": "read",
  "GET shard": "read",
  "GET manifest": "read",
  "HEAD image": "read",
  "HEAD shard": "read",
  "LIST archive": "write",
  "PUT checkpoint": "write",
  "PUT plan": "write",
  "PUT shard": "write",
  "PUT output": "write",
  "PUT failure": "write",
  "DELETE work": "free",
} as const satisfies Readonly<Record<string, Payment>>;

type Payment = "read" | "write" | "free";
export type RequestKind = keyof typeof requestKinds;

export interface RequestRow {
  readonly kind: RequestKind;
  readonly paidAs: Payment;
  readonly requests: number;
  readonly bytes: number;
}

export interface StoreRequests {
  add(kind: RequestKind, requests: number, bytes?: number): void;
  /** One object: in parts, between a request that starts and one that completes, when it is larger than one part. */
  put(kind: RequestKind, bytes: number): void;
  /** Kinds that there were none of are left out. */
  rows(): readonly RequestRow[];
}

/** The product's. */
const partBytes = 8_388_608;

export function openStoreRequests(): StoreRequests {
  const counts = new Map<RequestKind, { requests: number; bytes: number }>();
  const add = (kind: RequestKind, requests: number, bytes = 0): void => {
    const count = counts.get(kind) ?? { requests: 0, bytes: 0 };
    count.requests += requests;
    count.bytes += bytes;
    counts.set(kind, count);
  };
  return {
    add,
    put: (kind, bytes) => add(kind, bytes <= partBytes ? 1 : Math.ceil(bytes / partBytes) + 2, bytes),
    rows: () =>
      [...counts]
        .map(([kind, { requests, bytes }]) => ({
          kind,
          paidAs: requestKinds[kind],
          requests: Math.round(requests),
          bytes: Math.round(bytes),
        }))
        .sort((a, b) => (a.kind < b.kind ? -1 : 1)),
  };
}

/** Requests that are paid alike. */
export function requestsPaidAs(rows: readonly RequestRow[], payment: Payment): number {
  return rows.filter(({ paidAs }) => paidAs === payment).reduce((sum, { requests }) => sum + requests, 0);
}
