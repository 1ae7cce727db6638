/** The server process: what its lock file says about it, whether it lives, how it starts and how it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, errorCode, type Logger } from "../kernel/index.ts";
import type { Account } from "./account.ts";
import type { Environment, Layout } from "./layout.ts";
import { openLog } from "./server-log.ts";
import { PORT, socketPath } from "./socket-directory.ts";

export const POLL_MS = 2;

export interface Postmaster {
  readonly pid: number;
  readonly socketDirectory: string;
  readonly status: "starting" | "ready" | "stopping";
}

/**
 * `alive` is the server of this directory; `recycledPid` a process that merely got the number of a dead one; `torn`
 * says that the lock file names no process at all, which a crash of the machine can leave.
 */
export interface Sighting {
  readonly alive?: Postmaster;
  readonly recycledPid?: number;
  readonly torn?: true;
}

/** Reads `postmaster.pid` and distinguishes a live server from the leftovers of a dead one. */
export function sight(layout: Layout, environment: Environment): Sighting {
  const found = readLockFile(layout);
  if (found === "torn") return { torn: true };
  if (found === undefined || !exists(found.pid, environment)) return {};
  return isServerOf(found.pid, layout) ? { alive: found } : { recycledPid: found.pid };
}

function lockFile(layout: Layout): string {
  return join(layout.data, "postmaster.pid");
}

/** Lines: pid, data directory, start time, port, socket directory, listen address, shared memory, status. */
function readLockFile(layout: Layout): Postmaster | "torn" | undefined {
  let text: string;
  try {
    text = readFileSync(lockFile(layout), "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const lines = text.split("\n");
  const pid = Number.parseInt(lines[0] ?? "", 10);
  if (!(pid > 0)) return "torn";
  const word = (lines[7] ?? "").trim();
  const status = word === "ready" || word === "stopping" ? word : "starting";
  return { pid, socketDirectory: lines[4] ?? "", status };
}

/** True when the process exists, also under another account. */
function exists(pid: number, environment: Environment): boolean {
  try {
    environment.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/**
 * Its command line names this data directory. (/proc/PID/cwd would need the right to trace it, which root in a
 * container lacks.) A process that ended and was not yet collected has no command line. Without /proc: believed.
 */
function isServerOf(pid: number, layout: Layout): boolean {
  if (!existsSync("/proc/self")) return true;
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return line.includes("-D") && line.includes(layout.data);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ESRCH") return false;
    throw error;
  }
}

const PF_EXITING = 0x4;

/**
 * It is on its way out, and has its files for a moment longer: a process loses its command line before them, and whoever
 * unmounts the disk in that moment is told that it is busy. Fields of /proc/PID/stat (proc(5)), which everybody may read.
 */
function isEnding(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", , , , , , flags] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return !"ZX".includes(state) && (Number(flags) & PF_EXITING) !== 0;
  } catch {
    return false;
  }
}

export interface StartOrder {
  readonly binary: string;
  readonly layout: Layout;
  readonly account: Account;
  readonly socketDirectory: string;
  readonly leftover: Sighting;
}

export interface Started {
  readonly child: ChildProcess;
  /** Resolves with the error of the start or `undefined` when the process has ended. */
  readonly ended: Promise<Error | undefined>;
  /** Offset in the log at which this start begins. */
  readonly logOffset: number;
}

/**
 * Starts the server in a session of its own, so that no Ctrl-C of a terminal and no kill of our process group reaches
 * it, and with an empty environment: it outlives this process, and a start inside a step must not mark it as the step's.
 */
export function startPostmaster(order: StartOrder): Started {
  const { layout, account, socketDirectory } = order;
  const { recycledPid } = order.leftover;
  if (order.leftover.torn) rmSync(lockFile(layout), { force: true });
  rmSync(socketPath(socketDirectory), { force: true });
  rmSync(`${socketPath(socketDirectory)}.lock`, { force: true });
  const log = openLog(layout.logFile);
  const child = spawn(order.binary, ["-D", layout.data, ...settingArguments(socketDirectory)], {
    ...account.identity,
    cwd: "/",
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: {
      ...scrubbedEnvironment,
      // Postgres takes the lock file of a dead server for a live one's when the pid was reused. It makes an
      // exception for its grandparent, and thereby for whichever process we know to be no server.
      ...(recycledPid === undefined ? {} : { PG_GRANDPARENT_PID: String(recycledPid) }),
    },
  });
  closeSync(log.fd);
  child.unref();
  const ended = new Promise<Error | undefined>((resolve) => {
    child.once("error", resolve);
    child.once("exit", () => resolve(undefined));
  });
  return { child, ended, logOffset: log.offset };
}

export const scrubbedEnvironment = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/** Settings for one small machine, which rarely wake an idle one. Durability stays at its defaults: on. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: "",
  port: String(PORT),
  unix_socket_permissions: "0700",
  max_connections: "60",
  shared_buffers: "64MB",
  io_method: "sync",
  jit: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "256MB",
  max_worker_processes: "0",
  max_parallel_workers: "0",
  max_logical_replication_workers: "0",
  checkpoint_timeout: "15min",
  log_checkpoints: "off",
  log_line_prefix: "%m [%p] ",
  // Clients receive the errors of their statements; the log is for the server's own state.
  log_min_messages: "log",
  timezone: "UTC",
  log_timezone: "UTC",
  cluster_name: "shipinator",
};

function settingArguments(socketDirectory: string): string[] {
  // The setting is a list; quotes keep a comma or a space in the path from dividing it.
  const directories = `"${socketDirectory.replaceAll('"', '""')}"`;
  return Object.entries({ ...settings, unix_socket_directories: directories }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
}

/** Fast shutdown: sessions are ended, a checkpoint is written. Resolves when the process is gone. */
export async function stopPostmaster(
  pid: number,
  deps: { layout: Layout; environment: Environment; clock: Clock; log: Logger },
): Promise<void> {
  // The lock file goes a moment before its process, so it is the process that is looked for.
  const gone = () => !exists(pid, deps.environment) || !(isServerOf(pid, deps.layout) || isEnding(pid));
  for (const [signal, patienceMs] of shutdowns) {
    if (gone()) return;
    if (isServerOf(pid, deps.layout)) signalServer(pid, signal, deps.environment);
    const deadline = deps.clock.monotonic() + patienceMs;
    while (!gone()) {
      if (deps.clock.monotonic() > deadline) break;
      await deps.clock.sleep(POLL_MS);
    }
  }
  if (!gone()) deps.log.error({ pid }, "the embedded Postgres does not end; it is left running");
}

/** SIGINT is the fast shutdown, SIGQUIT the immediate one, after which the next start recovers from its journal. */
const shutdowns = [
  ["SIGINT", 60_000],
  ["SIGQUIT", 10_000],
] as const;

export function signalServer(pid: number, signal: "SIGINT" | "SIGQUIT", environment: Environment): void {
  try {
    environment.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
