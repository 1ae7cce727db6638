/** Reads the announcement of a server in its data directory, and checks that the server runs. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { errorCode } from "../kernel/index.ts";

export const serverFile = "server.json";

export interface Announcement {
  readonly url: string;
  /** Path of its Unix socket, or null. */
  readonly socket: string | null;
  readonly pid: number;
}

/**
 * Returns the running server of this data directory, or null. The announcement of a killed server is ignored, because its
 * socket accepts no connection or its process has ended.
 */
export async function runningServer(
  dataDir: string,
  isAlive: (pid: number) => boolean,
): Promise<Announcement | null> {
  const found = readAnnouncement(join(dataDir, serverFile));
  if (found === null) return null;
  const serves = found.socket === null ? isAlive(found.pid) : await acceptsConnections(found.socket);
  return serves ? found : null;
}

/** Tests whether a process exists, also of another account. */
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
    // The file is absent or not readable.
    return null;
  }
}

function acceptsConnections(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
