/**
 * All tables at one moment, for a backup: COPY within a transaction that reads one snapshot. COPY's text form is the same
 * in every version of Postgres, so a backup can move to another version.
 */
import pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { type Logger, Problem } from "../../kernel/index.ts";
import { clientConfig } from "../db/connection.ts";
import type { ConnectionSettings } from "../db/connection-settings.ts";
import { translateError } from "../db/database-errors.ts";

export interface TableShape {
  readonly name: string;
  /** In the order of their values in a row; those that Postgres computes are left out. */
  readonly columns: readonly string[];
}

/** Dispose of it soon: while it is open, Postgres keeps every row that is replaced. */
export interface DatabaseSnapshot extends AsyncDisposable {
  /** Names of the migrations that made these tables, in order. */
  readonly migrations: readonly string[];
  /** `server_version_num`: 180004 is 18.4. */
  readonly serverVersion: number;
  /** Ordered so that a table comes after those that it refers to. */
  readonly tables: readonly TableShape[];
  /** The rows in COPY's text form. One table at a time, each to its end. */
  copy(table: TableShape): AsyncIterable<Uint8Array>;
  /** Ids of the executions, whose logs are kept. */
  executions(): Promise<readonly string[]>;
  /** Artifacts that have not expired. */
  artifacts(): Promise<readonly { readonly id: string; readonly checksum: string; readonly size: number }[]>;
}

/** @throws Problem database_unavailable */
export async function openSnapshot(settings: ConnectionSettings, log: Logger): Promise<DatabaseSnapshot> {
  const client = await openCopyClient(settings, log);
  try {
    await client.query("begin isolation level repeatable read read only");
    const state = await client.query<{ version: number; migrations: string[] }>(
      `select current_setting('server_version_num')::int as version,
         array(select name::text from pgmigrations order by id) as migrations`,
    );
    const { version = 0, migrations = [] } = state.rows[0] ?? {};
    const tables = await readTables(client);
    return {
      migrations,
      serverVersion: version,
      tables,
      async *copy({ name, columns }) {
        const list = columns.map(quoteName).join(", ");
        try {
          yield* client.query(copyTo(`copy (select ${list} from ${quoteName(name)}) to stdout`));
        } catch (error) {
          throw translateError(error, settings);
        }
      },
      executions: async () =>
        (await client.query<{ id: string }>("select e.id from executions e order by e.id")).rows.map(
          ({ id }) => id,
        ),
      artifacts: async () =>
        (
          await client.query<{ id: string; checksum: string; size: number }>(
            "select a.id, a.checksum, a.size from artifacts a where a.expired_at is null order by a.id",
          )
        ).rows,
      [Symbol.asyncDispose]: () => client.end(),
    };
  } catch (error) {
    await client.end();
    throw translateError(error, settings);
  }
}

/** A connection of its own, without the limits that are meant for short statements. */
export async function openCopyClient(settings: ConnectionSettings, log: Logger): Promise<pg.Client> {
  const client = new pg.Client({
    ...clientConfig(settings, { applicationName: "shipinator backup", statementTimeoutMs: 0 }),
    idle_in_transaction_session_timeout: 0,
    // A stream of rows fills the connection by itself.
    pipeline: false,
  });
  // What befalls the connection also fails the statement that waits on it.
  client.on("error", (error) => log.debug({ err: error }, "connection error"));
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw translateError(error, settings);
  }
}

const tablesSql = `
select c.relname::text as name,
  array(
    select a.attname::text
    from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    order by a.attnum
  ) as columns,
  array(
    select distinct f.relname::text
    from pg_constraint k
    join pg_class f on f.oid = k.confrelid
    where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid
  ) as refers
from pg_class c
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and c.relname <> 'pgmigrations'
order by c.relname`;

/** Asked of the catalogue, so that a table that comes later is not forgotten. */
export async function readTables(client: pg.Client): Promise<readonly TableShape[]> {
  const { rows } = await client.query<TableShape & { refers: string[] }>(tablesSql);
  const waiting = new Map(rows.map((row) => [row.name, row]));
  const ordered: TableShape[] = [];
  while (waiting.size > 0) {
    const next = [...waiting.values()].find(({ refers }) => !refers.some((name) => waiting.has(name)));
    if (next === undefined)
      throw new Problem("internal", `The tables ${[...waiting.keys()].join(", ")} refer to each other.`);
    waiting.delete(next.name);
    ordered.push({ name: next.name, columns: next.columns });
  }
  return ordered;
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
