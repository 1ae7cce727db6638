/** A FIFO that what is measured writes lines to, so that a process itself is seen and not what is told of it. */
import { execFileSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { BenchServer } from "./server.ts";

export interface Fifo {
  readonly path: string;
  /** The moment at which so many more lines have come, by `performance.now()`. */
  next(lines: number): Promise<number>;
  close(): void;
}

export function openFifo(path: string): Fifo {
  execFileSync("mkfifo", [path]);
  // Read and write: it has no end of file while nobody writes.
  const socket = new Socket({ fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK), writable: false });
  const waiting: { left: number; readonly come: (at: number) => void }[] = [];
  socket.on("data", (bytes) => {
    const at = performance.now();
    for (let lines = bytes.length / 2; lines > 0; ) {
      const [first] = waiting;
      if (first === undefined) return;
      const taken = Math.min(lines, first.left);
      first.left -= taken;
      lines -= taken;
      if (first.left > 0) continue;
      waiting.shift();
      first.come(at);
    }
  });
  return {
    path,
    next: (lines) => new Promise((come) => void waiting.push({ left: lines, come })),
    close: () => void socket.destroy(),
  };
}

/** Asks for a run whose step writes one line, and waits for its end; gives the moment at which the line came. */
export async function untilItRan(
  server: BenchServer,
  fifo: Fifo,
  path: string,
  body: unknown,
): Promise<number> {
  const said = fifo.next(1);
  const { id } = await server.ask<{ id: string }>("POST", path, body);
  const at = await said;
  await server.ended(id);
  return at;
}
