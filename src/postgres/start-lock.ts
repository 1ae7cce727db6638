/**
 * One process at a time makes or starts the server of a data directory. The lock is an abstract Unix socket: the kernel
 * drops it with its holder however that ends, and waiting processes notice. It brings order, not safety: that is Postgres'
 * own interlock, so a platform without abstract sockets, or a lock that is never released, is no obstacle.
 */
import { createHash } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { platform } from "node:os";
import { type Clock, errorCode } from "../kernel/index.ts";

const LONGEST_WAIT_MS = 60_000;

/** Resolves when the lock is ours or the wait too long; disposing lets the next one in. */
export async function takeStartLock(directory: string, clock: Clock): Promise<Disposable> {
  if (platform() !== "linux") return { [Symbol.dispose]: () => {} };
  const name = `\0shipinator-start-${createHash("sha256").update(directory).digest("hex").slice(0, 32)}`;
  const deadline = clock.monotonic() + LONGEST_WAIT_MS;
  for (;;) {
    const lock = await tryLock(name);
    if (lock !== undefined) return lock;
    if (clock.monotonic() >= deadline) return { [Symbol.dispose]: () => {} };
    await holderGone(name, deadline - clock.monotonic());
  }
}

function tryLock(name: string): Promise<Disposable | undefined> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    // A waiter that is killed is no concern of ours.
    socket.on("error", () => {});
    socket.on("close", () => waiting.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (errorCode(error) === "EADDRINUSE" ? resolve(undefined) : reject(error)));
    server.listen({ path: name }, () =>
      resolve({
        [Symbol.dispose]: () => {
          server.close();
          for (const socket of waiting) socket.destroy();
        },
      }),
    );
  });
}

function holderGone(name: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ path: name });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    // Refused means gone already; either way `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.resume();
  });
}
