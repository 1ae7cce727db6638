/**
 * The session that counts a process: while it lives it holds a shared advisory lock. A process that leaves releases its
 * lock first and then tries the exclusive one, so that exactly the last one to leave acquires it.
 */
import pg from "pg";
import { errorCode, type Logger, Problem } from "../kernel/index.ts";
import type { ConnectionSettings } from "../store/index.ts";
import { clientConfig, isSessionError, translateError } from "../store/index.ts";

/** Any number, as long as it stays the same: "shipinator" counted in letters of a telephone. */
const LOCK = "7447462867";
const NO_DATABASE = "3D000";
const DUPLICATE = new Set(["42P04", "23505"]);

export interface Session {
  /** Resolves when the connection has ended, by whichever side. */
  readonly ended: Promise<void>;
  /** Gives our share up; true when no other process has one, and then none gets one from this server any more. */
  leave(): Promise<boolean>;
  close(): Promise<void>;
}

/** `undefined` when the server does not take sessions just now (starting, stopping, its socket gone): look again. */
export async function openSession(settings: ConnectionSettings, log: Logger): Promise<Session | undefined> {
  try {
    return await join(settings, log);
  } catch (error) {
    if (errorCode(error) === NO_DATABASE) {
      await createDatabase(settings, log);
      return await openSession(settings, log);
    }
    const state = errorCode(error) ?? "";
    // Wrong password and too many clients do not pass by themselves.
    if (!isSessionError(error) || state.startsWith("28") || state === "53300")
      throw translateError(error, settings);
    return undefined;
  }
}

async function join(settings: ConnectionSettings, log: Logger): Promise<Session> {
  const client = await connect(settings, log);
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  const close = async () => {
    await client.end();
  };
  try {
    await client.query(`select pg_advisory_lock_shared(${LOCK})`);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ended,
    close,
    async leave() {
      const { rows } = await client.query<{ last: boolean }>(
        `select pg_advisory_unlock_shared(${LOCK}), pg_try_advisory_lock(${LOCK}) as last`,
      );
      return rows[0]?.last === true;
    },
  };
}

async function connect(settings: ConnectionSettings, log: Logger): Promise<pg.Client> {
  const client = new pg.Client({
    ...clientConfig(settings, { applicationName: "shipinator session", statementTimeoutMs: 0 }),
    idle_in_transaction_session_timeout: 0,
  });
  // `end` reports the loss; without this listener an error would end the process.
  client.on("error", (error) => log.debug({ err: error }, "the session with the embedded Postgres broke"));
  await client.connect();
  return client;
}

/** Once in the life of a cluster; two processes may try at once. */
async function createDatabase(settings: ConnectionSettings, log: Logger): Promise<void> {
  const client = await connect({ ...settings, database: "postgres" }, log);
  try {
    await client.query(`create database ${pg.escapeIdentifier(settings.database)}`);
  } catch (error) {
    if (DUPLICATE.has(errorCode(error) ?? "")) return;
    const known = translateError(error, settings);
    throw known instanceof Problem
      ? known
      : new Problem("internal", "The database could not be made.", { cause: error });
  } finally {
    await client.end();
  }
}
