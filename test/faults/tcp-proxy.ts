import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A stretch of network before a server, with switches. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections that stand now. */
  readonly connections: number;
  /** Ends every connection without a word. */
  cut(): void;
  /** Ends every connection, and each new one at once, until `accept`. */
  refuse(): void;
  accept(): void;
  /** Nothing passes, and nothing ends, until `thaw`: a network that drops packets. */
  freeze(): void;
  thaw(): void;
  /** Whatever passes arrives so much later; 0 as at the beginning. */
  delay(milliseconds: number): void;
  /**
   * Lets so many bytes pass from clients to the server, then cuts in the midst of what is being sent.
   * @returns When that has happened.
   */
  cutAfter(bytes: number): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

interface Budget {
  left: number;
  readonly spent: () => void;
}

export async function openTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let refusing = false;
  let frozen = false;
  let delayMs = 0;
  let budget: Budget | undefined;

  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
  };
  /** The part of what a client sends that still passes. */
  const allowed = (bytes: Buffer): Buffer => {
    if (budget === undefined) return bytes;
    const passing = bytes.subarray(0, budget.left);
    budget.left -= passing.length;
    return passing;
  };
  const spend = (): void => {
    if (budget === undefined || budget.left > 0) return;
    const { spent } = budget;
    budget = undefined;
    cut();
    spent();
  };
  const forward = (from: Socket, to: Socket, passing: (bytes: Buffer) => Buffer): void => {
    from.on("data", (bytes: Buffer) => {
      const part = passing(bytes);
      const write = (): void => {
        if (to.destroyed) return;
        // The server must have what was let through before the connection goes.
        to.write(part, spend);
        if (to.writableNeedDrain) {
          from.pause();
          to.once("drain", () => {
            if (!frozen) from.resume();
          });
        }
      };
      if (delayMs === 0) write();
      else setTimeout(write, delayMs);
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  };

  const listener = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const server = connect(target.port, target.host);
    const pair = { client, server };
    pairs.add(pair);
    client.on("close", () => pairs.delete(pair));
    forward(client, server, allowed);
    forward(server, client, (bytes) => bytes);
    if (frozen) {
      client.pause();
      server.pause();
    }
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", resolve);
  });
  const { port } = listener.address() as AddressInfo;
  return {
    port,
    get connections() {
      return pairs.size;
    },
    cut,
    refuse: () => {
      refusing = true;
      cut();
    },
    accept: () => {
      refusing = false;
    },
    freeze: () => {
      frozen = true;
      for (const { client, server } of pairs) {
        client.pause();
        server.pause();
      }
    },
    thaw: () => {
      frozen = false;
      for (const { client, server } of pairs) {
        client.resume();
        server.resume();
      }
    },
    delay: (milliseconds) => {
      delayMs = milliseconds;
    },
    cutAfter: (bytes) =>
      new Promise((resolve) => {
        budget = { left: bytes, spent: resolve };
      }),
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
