/**
 * A Postgres of our own, shared by all processes on one data directory. The first to come starts it, the last to leave
 * stops it, whoever is killed leaves it running for the next; a server that dies under us is started again.
 */
import { type Clock, createLoop, type Logger, Problem } from "../kernel/index.ts";
import type { ConnectionSettings } from "../store/index.ts";
import { chooseAccount } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import { checkCluster, clusterExists } from "./cluster.ts";
import { endServer, findRunning, type Joined, joinServer, type LaunchDeps } from "./launch.ts";
import { type Environment, type Layout, openPath, prepareLayout, unusable } from "./layout.ts";
import { createOwner, HEARTBEAT_MS } from "./owner.ts";
import { sight, signalServer } from "./postmaster.ts";
import { boundLog, complaintsSince, logEnd, tellsOfFullDisk } from "./server-log.ts";

export interface EmbeddedOptions {
  /** The program's data directory, absolute; made when absent. */
  readonly dataDir: string;
  /** The account to run Postgres under when we are root (`embedded.user`). Default: `postgres`, else `nobody`. */
  readonly user?: string;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Close every pool on `connection` before `stop()`: what is still open is cut off when we are the last. `stop()` is
 * idempotent and resolves when the server has ended or is left to other processes.
 */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly connection: ConnectionSettings;
  readonly facts: EmbeddedFacts;
  /** The cause of a failure on `connection`, where the server's own log knows more: a full disk ends a server. */
  explain(error: unknown): unknown;
  stop(): Promise<void>;
}

export interface EmbeddedFacts {
  /** PGDATA. */
  readonly dataDirectory: string;
  readonly logFile: string;
  /** Version of the binaries: `18.4.0-beta.17`. */
  readonly version: string;
  /** The account Postgres runs under. */
  readonly account: { readonly name: string; readonly uid: number; readonly gid: number };
  /** Process id of the server as this process found or started it. */
  readonly pid: number;
  /** False when the server was there already. */
  readonly started: boolean;
}

/** Problems: `data_dir_unusable`, `environment`, `database_unavailable`, each with what to do. */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { environment, clock, log } = options;
  const layout = prepareLayout(options.dataDir, environment);
  const account = chooseAccount(layout, environment, options.user);
  openPath(layout, account);
  const binaries = await findBinaries(layout, account);
  if (clusterExists(layout)) checkCluster(layout, binaries.major);
  const owner = createOwner(layout.ownerFile, { major: binaries.major, clock, log });
  owner.claim();
  const deps: LaunchDeps = { layout, account, binaries, owner, environment, clock, log };
  const explain = explainer(layout);
  const joined = await joinServer(deps).catch((error: unknown) => {
    throw explain(error);
  });
  // The last process of a server that just stopped took the mark along; ours stands from here on.
  owner.claim();
  const { name, uid, gid } = account;
  return supervise(deps, joined, explain, {
    dataDirectory: layout.data,
    logFile: layout.logFile,
    version: binaries.version,
    account: { name, uid, gid },
    pid: joined.pid,
    started: joined.started,
  });
}

function explainer(layout: Layout): EmbeddedPostgres["explain"] {
  const begin = logEnd(layout.logFile);
  return (error) =>
    error instanceof Problem &&
    error.code === "database_unavailable" &&
    complaintsSince(layout.logFile, begin).some(tellsOfFullDisk)
      ? unusable(layout.dataDir, "its disk is full", {
          remedy: "Free some space, and try again.",
          cause: error,
        })
      : error;
}

function supervise(
  deps: LaunchDeps,
  first: Joined,
  explain: EmbeddedPostgres["explain"],
  facts: EmbeddedFacts,
): EmbeddedPostgres {
  const { layout, owner, environment, clock, log } = deps;
  const stopping = new AbortController();
  let current: Joined | undefined;
  let recovery = Promise.resolve();
  let stopped: Promise<void> | undefined;
  adopt(first);

  const heartbeat = createLoop({
    clock,
    everyMs: HEARTBEAT_MS,
    runOnce: async () => {
      boundLog(layout.logFile);
      if (!owner.renew()) surrender();
    },
    onError: (error) => log.warn({ err: error }, "the mark on the data directory could not be renewed"),
  });
  heartbeat.start();

  function adopt(joined: Joined): void {
    current = joined;
    void joined.session.ended.then(() => {
      if (stopping.signal.aborted || current !== joined) return;
      current = undefined;
      log.warn("the embedded Postgres went away; it is started again");
      recovery = recover();
    });
  }

  async function recover(): Promise<void> {
    for (let pauseMs = 100; !stopping.signal.aborted; pauseMs = Math.min(2 * pauseMs, 5_000)) {
      try {
        owner.claim();
        adopt(await joinServer(deps));
        return;
      } catch (error) {
        log.error({ err: error }, "the embedded Postgres could not be started again");
        await clock.sleep(pauseMs, stopping.signal);
      }
    }
  }

  /** This process was frozen until another machine took the directory: its open connections must not write again. */
  function surrender(): void {
    const { alive } = sight(layout, environment);
    log.fatal("another machine has taken the data directory over; the database here is stopped at once");
    if (current !== undefined && alive?.pid === current.pid)
      signalServer(current.pid, "SIGQUIT", environment);
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await heartbeat.stop();
    await recovery;
    const joined = current ?? (await findRunning(deps));
    if (joined === undefined || (await leave(joined)) !== "broken") return;
    // It crashed a moment ago, and recovers or ends: if this process stopped here, no other would end it.
    const recovered = await findRunning(deps);
    if (recovered !== undefined) await leave(recovered);
  }

  async function leave(joined: Joined): Promise<"left" | "broken"> {
    const last = await lastToLeave(joined);
    if (last === true) {
      owner.release();
      await endServer(joined, deps);
    }
    await joined.session.close();
    return last === "broken" ? last : "left";
  }

  async function lastToLeave(joined: Joined): Promise<boolean | "broken"> {
    try {
      return await joined.session.leave();
    } catch (error) {
      log.debug({ err: error }, "the embedded Postgres went away before it was stopped");
      return "broken";
    }
  }

  const embedded: EmbeddedPostgres = {
    connection: first.settings,
    facts,
    explain,
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => embedded.stop(),
  };
  return embedded;
}
