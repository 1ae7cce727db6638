/** What a server leaves in its data directory for commands on its machine, and whether it is still true. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { errorCode } from "../kernel/index.ts";

export const serverFile = "server.json";

export interface Announcement {
  readonly url: string;
  /** Path of its Unix socket; null: it has none. */
  readonly socket: string | null;
  readonly pid: number;
}

/**
 * The server that serves this data directory now. What a killed one has left is none: its socket takes no connection, or
 * its process is gone.
 */
export async function runningServer(
  dataDir: string,
  isAlive: (pid: number) => boolean,
): Promise<Announcement | null> {
  const found = readAnnouncement(join(dataDir, serverFile));
  if (found === null) return null;
  const serves = found.socket === null ? isAlive(found.pid) : await takesConnections(found.socket);
  return serves ? found : null;
}

/** Another account's process is alive as well. */
export const aliveBy =
  (kill: (pid: number, signal: 0) => void) =>
  (pid: number): boolean => {
    try {
      kill(pid, 0);
      return true;
    } catch (error) {
      return errorCode(error) === "EPERM";
    }
  };

function readAnnouncement(path: string): Announcement | null {
  try {
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof found !== "object" || found === null || !("url" in found) || !("pid" in found)) return null;
    const socket = "socket" in found && typeof found.socket === "string" ? found.socket : null;
    return { url: String(found.url), socket, pid: Number(found.pid) };
  } catch {
    // Nothing there, or nothing for this account.
    return null;
  }
}

function takesConnections(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
