/** From whatever state the data directory is in to a session on a running server: adopt, wait, or start. */
import { rmSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type Clock, type Logger, Problem } from "../kernel/index.ts";
import type { ConnectionSettings } from "../store/index.ts";
import type { Account } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import {
  cannotRun,
  checkCluster,
  clusterExists,
  createCluster,
  ROLE,
  readPassword,
  removeLeftovers,
} from "./cluster.ts";
import { type Environment, type Layout, orUnusable, unusable } from "./layout.ts";
import type { Owner } from "./owner.ts";
import {
  POLL_MS,
  type Postmaster,
  type Started,
  sight,
  startPostmaster,
  stopPostmaster,
} from "./postmaster.ts";
import { boundLog, complaintsSince, tellsOfFullDisk } from "./server-log.ts";
import { openSession, type Session } from "./session.ts";
import { PORT, prepareSocketDirectory, socketDirectory } from "./socket-directory.ts";
import { takeStartLock } from "./start-lock.ts";

/** Recovery after a crash is part of a start, and a slow disk of recovery. */
const MAX_START_MS = 120_000;
/** Maximum time for which the children of a dead server may keep its memory. */
const MAX_HANDOVER_MS = 15_000;

export interface LaunchDeps {
  readonly layout: Layout;
  readonly account: Account;
  readonly binaries: Binaries;
  readonly owner: Owner;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Joined {
  readonly session: Session;
  readonly settings: ConnectionSettings;
  readonly pid: number;
  /** True when this call started the server, false when it found one. */
  readonly started: boolean;
}

/**
 * Joins the running server or starts one, never a second: only the holder of the start lock starts it, after a second
 * look, and Postgres' own interlock stands behind that. Problems: `data_dir_unusable`, `environment`, `database_unavailable`.
 */
export async function joinServer(deps: LaunchDeps): Promise<Joined> {
  const deadline = deps.clock.monotonic() + MAX_START_MS;
  let started = false;
  for (;;) {
    const { alive } = sight(deps.layout, deps.environment);
    if (alive === undefined) {
      if (await startIfAbsent(deps)) started = true;
    } else {
      const joined = await joinReady(deps, alive).catch(async (error: unknown) => {
        // No session is counted on it that could stop it later.
        if (started) await stopPostmaster(alive.pid, deps);
        throw error;
      });
      if (joined !== undefined) return { ...joined, started };
    }
    if (deps.clock.monotonic() > deadline) throw tooSlow(deps.layout, alive);
    await deps.clock.sleep(POLL_MS);
  }
}

/** A session on the server; never starts it. One that recovers from a crash is waited for, until it runs or is gone. */
export async function findRunning(deps: LaunchDeps): Promise<Joined | undefined> {
  const deadline = deps.clock.monotonic() + MAX_HANDOVER_MS;
  for (;;) {
    const { alive } = sight(deps.layout, deps.environment);
    if (alive === undefined) return undefined;
    const joined = await joinReady(deps, alive);
    if (joined !== undefined || deps.clock.monotonic() > deadline) return joined;
    await deps.clock.sleep(POLL_MS);
  }
}

async function joinReady(deps: LaunchDeps, server: Postmaster): Promise<Joined | undefined> {
  if (server.status !== "ready") return undefined;
  const settings = settingsFor(server, deps.layout);
  const session = await openSession(settings, deps.log);
  return session === undefined ? undefined : { session, settings, pid: server.pid, started: false };
}

function settingsFor(server: Postmaster, layout: Layout): ConnectionSettings {
  checkSocket(server);
  return {
    host: server.socketDirectory,
    port: PORT,
    user: ROLE,
    password: readPassword(layout),
    database: "shipinator",
    sslMode: "disable",
  };
}

function checkSocket(server: Postmaster): void {
  if (server.socketDirectory.startsWith("/")) return;
  throw new Problem("database_unavailable", "The embedded Postgres runs without a socket.", {
    remedy: `Somebody else started it (pid ${server.pid}); stop it, and try again.`,
  });
}

/** Ends the server and removes its files in /tmp, unless another process is starting the next one. */
export async function endServer(joined: Joined, deps: LaunchDeps): Promise<void> {
  await stopPostmaster(joined.pid, deps);
  const { host } = joined.settings;
  if (host.startsWith(deps.layout.home)) return;
  using _lock = await takeStartLock(deps.layout.home, deps.clock);
  if (sight(deps.layout, deps.environment).alive === undefined)
    rmSync(host, { recursive: true, force: true });
}

/** True when the server that runs now is ours. */
async function startIfAbsent(deps: LaunchDeps): Promise<boolean> {
  const { layout, account, binaries } = deps;
  using _lock = await takeStartLock(layout.home, deps.clock);
  const { alive } = sight(layout, deps.environment);
  if (alive !== undefined) return false;
  if (!clusterExists(layout)) await createCluster(layout, binaries, account);
  checkCluster(layout, binaries.major);
  orUnusable(layout.home, () => {
    boundLog(layout.logFile);
    removeLeftovers(layout, basename(dirname(dirname(binaries.postgres))));
  });
  const socket = socketDirectory(layout, account);
  prepareSocketDirectory(socket, account);
  return await startUntilReady(deps, socket);
}

async function startUntilReady(deps: LaunchDeps, socket: string): Promise<boolean> {
  const { layout, clock } = deps;
  const handover = clock.monotonic() + MAX_HANDOVER_MS;
  const deadline = clock.monotonic() + MAX_START_MS;
  for (;;) {
    const leftover = sight(layout, deps.environment);
    const order = {
      binary: deps.binaries.postgres,
      layout,
      account: deps.account,
      socketDirectory: socket,
      leftover,
    };
    const attempt = orUnusable(layout.home, () => startPostmaster(order));
    const end = await readyOrEnded(deps, attempt, deadline);
    if (end === "ready") return true;
    if (end === "late") throw tooSlow(layout, sight(layout, deps.environment).alive);
    if (end.error !== undefined) throw cannotRun(deps.binaries.postgres, end.error);
    const lines = complaintsSince(layout.logFile, attempt.logOffset);
    if (!lines.some((line) => interlock.test(line)) || clock.monotonic() > handover)
      throw startProblem(layout, lines);
    if (sight(layout, deps.environment).alive !== undefined) return false;
    await clock.sleep(20);
  }
}

/** Another server, or what is left of one that was killed, still has the directory. */
const interlock = /lock file ".*" already exists|pre-existing shared memory block/;

async function readyOrEnded(deps: LaunchDeps, attempt: Started, deadline: number) {
  let end: { error: Error | undefined } | undefined;
  const watch = attempt.ended.then((error) => {
    end = { error };
  });
  for (;;) {
    await Promise.race([watch, deps.clock.sleep(POLL_MS)]);
    if (end !== undefined) return end;
    const { alive } = sight(deps.layout, deps.environment);
    if (alive?.pid === attempt.child.pid && alive?.status === "ready") return "ready";
    if (deps.clock.monotonic() > deadline) return "late";
  }
}

function startProblem(layout: Layout, lines: readonly string[]): Problem {
  const said = lines.length === 0 ? "it said nothing" : lines.join(" ");
  if (tellsOfFullDisk(said)) {
    return unusable(layout.dataDir, "its disk is full", { remedy: "Free some space, and try again." });
  }
  if (/Read-only file system|Permission denied/.test(said)) return unusable(layout.dataDir, said);
  return new Problem("database_unavailable", `The embedded Postgres did not start: ${said}.`, {
    place: layout.logFile,
    remedy: "Its log says more.",
  });
}

function tooSlow(layout: Layout, server: Postmaster | undefined): Problem {
  const state =
    server === undefined ? "is not there" : `(pid ${server.pid}) is still ${doing[server.status]}`;
  return new Problem(
    "database_unavailable",
    `The embedded Postgres ${state} after ${MAX_START_MS / 1000} seconds.`,
    { place: layout.logFile, remedy: "Its log says what it waits for; try again when it is done." },
  );
}

const doing = { starting: "starting", ready: "refusing connections", stopping: "stopping" } as const;
