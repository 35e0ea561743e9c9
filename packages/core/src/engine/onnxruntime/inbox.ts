import { receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import type { Message, Request } from "./protocol.ts";

/** The requests of a port, in the order in which they came, without those that were withdrawn. */
export interface Inbox {
  /** Waits for a request; `undefined` once the port was told to close, whatever still waits. */
  next(): Promise<Request | undefined>;
}

export function openInbox(port: MessagePort): Inbox {
  let waiting: readonly (Request | "end")[] = [];
  let wake: (() => void) | undefined;
  const accept = (message: Message): void => {
    if (message.kind === "close") waiting = ["end"];
    else if (message.kind === "withdraw") waiting = waiting.filter((one) => one === "end" || one.id !== message.id);
    else if (waiting[0] !== "end") waiting = waiting.toSpliced(placeOf(message), 0, message);
    wake?.();
  };
  /** A program is forgotten before what waits to be done with others: what it gives back is there for the next one. */
  const placeOf = ({ kind, program }: Request): number =>
    kind === "forget" ? waiting.findLastIndex((one) => one !== "end" && one.program === program) + 1 : waiting.length;
  port.on("message", accept);
  return {
    next: async () => {
      // Computing blocks the thread: what was withdrawn meanwhile must not start.
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        accept(next.message);
      }
      while (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const [first, ...rest] = waiting;
      if (first === "end") return undefined;
      waiting = rest;
      return first;
    },
  };
}
