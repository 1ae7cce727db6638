/**
 * The pool of connections to Postgres and what runs on it. `pg` has its home here: nobody else in the house sees a
 * client.
 *
 * Values: `timestamptz` is a Date, `int8` a number (an error beyond ±2^53, never a rounded one), `json`/`jsonb` are
 * parsed, `numeric` and `date` stay text. A parameter that is an array becomes a Postgres array, so a JSON array is
 * passed as `JSON.stringify(value)`.
 *
 * Errors: a lost or refused connection is a Problem `database_unavailable`, a full disk of the database
 * `storage_failed`. All else is Postgres' own error with its SQLSTATE in `code` (`23505`, `40001`, `40P01`, …): never
 * swallowed, never repeated here.
 */
import pg from "pg";
import { type Logger, Problem } from "../../kernel/index.ts";
import { clientConfig } from "./connection.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import { isStatementError, translateError } from "./database-errors.ts";

export interface QueryOptions {
  /** Prepares the statement under this name, once per connection. For hot queries; one text per name, for good. */
  readonly name?: string;
}

/** The interface that the pool and a transaction share. */
export interface Queryable {
  /** Runs one statement and returns its rows. The author of the SQL answers for `Row`. */
  query<Row>(text: string, values?: readonly unknown[], options?: QueryOptions): Promise<Row[]>;
  /** Runs one statement and returns the number of rows it touched. */
  execute(text: string, values?: readonly unknown[], options?: QueryOptions): Promise<number>;
}

/**
 * One open transaction. Statements that are started together (`Promise.all`) travel in one round trip and are carried
 * out in the order of the calls. Unusable once the function that received it has settled.
 */
export interface Transaction extends Queryable {
  readonly kind: "transaction";
}

/**
 * `transaction` commits when `body` resolves and rolls back when it rejects; a body that swallowed the error of one of
 * its statements cannot commit (Postgres would silently roll back) and gets a Problem. `close` waits for the clients in
 * use to come back and is idempotent.
 */
export interface Database extends Queryable, AsyncDisposable {
  readonly settings: ConnectionSettings;
  transaction<T>(body: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Counts of the pool's connections now; `waiting` counts callers. */
  connections(): { readonly total: number; readonly idle: number; readonly waiting: number };
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Most connections at once. */
  readonly max: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly log: Logger;
  /** Maximum time of a statement in milliseconds. Default 30,000. */
  readonly statementTimeoutMs?: number;
}

const IDLE_MS = 30_000;

/** Opens a pool. No connection is made before the first statement, so this cannot fail for want of a server. */
export function openDatabase(settings: ConnectionSettings, options: DatabaseOptions): Database {
  const config = clientConfig(settings, options);
  let closing: Promise<void> | undefined;
  const pool = new pg.Pool({ ...config, max: options.max, idleTimeoutMillis: IDLE_MS });
  // Without a listener a restart of Postgres ends the process: one for idle clients, one for those in use that happen
  // to wait for something else. The next statement reports the loss to its caller.
  const lost = (error: Error) => {
    // Who closes the pool may stop the server right after: what that one says last is no news.
    if (closing === undefined) options.log.warn({ err: error }, "a database connection was lost");
  };
  pool.on("error", lost);
  pool.on("connect", (client) =>
    client.on("error", (error) => options.log.debug({ err: error }, "connection error")),
  );

  const database: Database = {
    settings,
    query: async <Row>(text: string, values?: readonly unknown[], query?: QueryOptions) =>
      rowsOf<Row>(await runAlone(text, values, query)),
    execute: async (text, values, query) => (await runAlone(text, values, query)).rowCount ?? 0,
    transaction,
    connections: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => (closing ??= pool.end()),
    [Symbol.asyncDispose]: () => database.close(),
  };
  return database;

  async function acquire(): Promise<pg.PoolClient> {
    try {
      return await pool.connect();
    } catch (error) {
      throw translateError(error, settings);
    }
  }

  async function runAlone(text: string, values?: readonly unknown[], query?: QueryOptions) {
    const client = await acquire();
    try {
      const result = await client.query(queryConfig(text, values, query));
      client.release();
      return result;
    } catch (error) {
      // A statement that Postgres refused leaves the connection sound. After anything else (a timeout, a broken
      // socket) nobody knows what it will answer next, so it must not go back to the pool.
      client.release(!isStatementError(error));
      throw translateError(error, settings);
    }
  }

  async function transaction<T>(body: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = await acquire();
    let open = true;
    const run = async (text: string, values?: readonly unknown[], query?: QueryOptions) => {
      if (!open) throw new Problem("internal", "A statement was sent on a transaction that has ended.");
      try {
        return await client.query(queryConfig(text, values, query));
      } catch (error) {
        throw translateError(error, settings);
      }
    };
    try {
      await run("begin");
      const result = await body({
        kind: "transaction",
        query: async <Row>(text: string, values?: readonly unknown[], query?: QueryOptions) =>
          rowsOf<Row>(await run(text, values, query)),
        execute: async (text, values, query) => (await run(text, values, query)).rowCount ?? 0,
      });
      const end = await run("commit");
      if (end.command !== "COMMIT") {
        throw new Problem(
          "internal",
          "A transaction went on after one of its statements had failed; nothing was kept.",
        );
      }
      open = false;
      client.release();
      return result;
    } catch (error) {
      open = false;
      await rollBack(client);
      throw error;
    }
  }

  async function rollBack(client: pg.PoolClient): Promise<void> {
    try {
      await client.query("rollback");
      client.release();
    } catch (error) {
      // The connection is gone and the transaction with it; the caller's own error tells why.
      options.log.debug({ err: error }, "a rollback was not answered");
      client.release(true);
    }
  }
}

function queryConfig(text: string, values?: readonly unknown[], options?: QueryOptions): pg.QueryConfig {
  return {
    text,
    ...(values === undefined ? {} : { values: [...values] }),
    ...(options?.name === undefined ? {} : { name: options.name }),
  };
}

/** The one place where rows get a type: the author of the SQL answers for it. */
function rowsOf<Row>(result: { rows: unknown[] }): Row[] {
  return result.rows as Row[];
}
