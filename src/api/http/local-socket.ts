/** The Unix socket beside the port: commands on the server's own machine need no certificate there. */
import { chmodSync, renameSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { errorMessage, maxSocketPathBytes, Problem } from "../../kernel/index.ts";

export interface LocalSocket {
  /** Takes no new connection; resolves when those that are open have ended. */
  close(): Promise<void>;
}

/** The name under which the socket is bound before it takes the place of one that a killed server has left. */
const boundName = (path: string): string => `${path}.new`;

/** Tells a path that fits into the address of a Unix socket from one that is too long. */
export const fitsSocket = (path: string): boolean => Buffer.byteLength(boundName(path)) <= maxSocketPathBytes;

/**
 * Listens with mode 0600. The socket is bound under another name and then renamed: it replaces the one of a killed server
 * in one step, and Node, which removes the name that it has bound, leaves the socket of a successor alone.
 * @throws Problem environment
 */
export async function listenOnSocket(server: Server, path: string): Promise<LocalSocket> {
  const bound = boundName(path);
  try {
    rmSync(bound, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path: bound }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    chmodSync(bound, 0o600);
    renameSync(bound, path);
  } catch (error) {
    server.close();
    throw new Problem("environment", `The server cannot listen on ${path}: ${errorMessage(error)}.`, {
      place: path,
      remedy: "Is the data directory on a local disk, and writable?",
      cause: error,
    });
  }
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}
