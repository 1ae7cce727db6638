/** Loads the tables of a backup into an empty database, all of them or none. */
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { type Logger, Problem, type RunId } from "../../kernel/index.ts";
import type { ConnectionSettings } from "../db/connection-settings.ts";
import type { Database, Queryable } from "../db/database.ts";
import { translateError, where } from "../db/database-errors.ts";
import { migrate } from "../db/migrate.ts";
import { requestCancel } from "../runs/control.ts";
import { openCopyClient, quoteName, readTables, type TableShape } from "./snapshot.ts";

export interface LoadTable extends TableShape {
  /** In COPY's text form. */
  readonly rows: AsyncIterable<Uint8Array>;
}

export interface LoadRequest {
  /** Names of the migrations of the database that the tables come from. */
  readonly migrations: readonly string[];
  /** In an order in which nothing refers to what comes later. */
  readonly tables: Iterable<LoadTable>;
  /** Directory under which artifacts are stored from now on. */
  readonly artifactPath: string;
  readonly log: Logger;
}

/**
 * Migrates the database to the backup's schema and fills it; the next start migrates it to this program's. Requests the
 * cancel of unfinished runs: they may have gone on elsewhere, so going on from here could deploy an old state again.
 * @returns how many these are
 * @throws Problem conflict when the database is not empty, database_newer for a backup of a newer program,
 *   config_invalid when the rows are not those of these tables
 */
export async function loadDatabase(database: Database, request: LoadRequest): Promise<number> {
  const { log } = request;
  await migrate(database, { log, upTo: request.migrations });
  const client = await openCopyClient(database.settings, log);
  try {
    await client.query("begin");
    await fill(client, database.settings, request);
    const unfinished = await cancelUnfinished(client);
    await client.query("commit");
    return unfinished;
  } catch (error) {
    throw translateError(error, database.settings);
  } finally {
    // What was not committed is rolled back by that.
    await client.end();
  }
}

async function cancelUnfinished(client: pg.Client): Promise<number> {
  const queryable: Queryable = {
    query: async <Row>(text: string, values?: readonly unknown[]) =>
      (await client.query(text, [...(values ?? [])])).rows as Row[],
    execute: async (text, values) => (await client.query(text, [...(values ?? [])])).rowCount ?? 0,
  };
  const unfinished = await queryable.query<{ id: RunId }>(
    "select r.id from pipeline_runs r where r.status in ('pending', 'running') order by r.id",
  );
  for (const { id } of unfinished) await requestCancel(queryable, id, "restore");
  return unfinished.length;
}

async function fill(client: pg.Client, settings: ConnectionSettings, request: LoadRequest): Promise<void> {
  const present = new Map((await readTables(client)).map((table) => [table.name, table]));
  const given = [...request.tables];
  refuseOtherTables(present, given);
  // Nobody else writes from here on.
  await client.query(`lock table ${[...present.keys()].map(quoteName).join(", ")} in access exclusive mode`);
  for (const name of present.keys()) {
    const { rows } = await client.query<{ any: boolean }>(
      `select exists (select from ${quoteName(name)}) as any`,
    );
    if (rows[0]?.any) throw notEmpty(settings, name);
  }
  for (const { name, columns, rows } of given) {
    const table = quoteName(name);
    // The guards are there for what happens; this has happened.
    await client.query(`alter table ${table} disable trigger user`);
    const list = columns.map(quoteName).join(", ");
    await pipeline(rows, client.query(copyFrom(`copy ${table} (${list}) from stdin`)));
  }
  // The processes that these were are of another place; that one may go on there, under the same numbers.
  await client.query(
    "update instances set ended_at = now(), epoch = epoch + 1, away_until = null where ended_at is null",
  );
  await client.query(
    `update artifacts set storage_path = $1::text || '/' || id || '/payload' where storage_backend = 'filesystem'`,
    [request.artifactPath],
  );
  // Foreign keys are checked now: with checks outstanding no table may be altered.
  await client.query("set constraints all immediate");
  for (const { name } of given) await client.query(`alter table ${quoteName(name)} enable trigger user`);
}

function refuseOtherTables(present: ReadonlyMap<string, TableShape>, given: readonly LoadTable[]): void {
  const names = new Set(given.map(({ name }) => name));
  const unknown = given.filter(({ name, columns }) => {
    const own = present.get(name);
    return own === undefined || columns.some((column) => !own.columns.includes(column));
  });
  const absent = [...present.keys()].filter((name) => !names.has(name));
  if (unknown.length + absent.length === 0) return;
  throw new Problem(
    "config_invalid",
    `The backup's tables are not those of its schema: ${[...unknown.map(({ name }) => name), ...absent].join(", ")}.`,
    { remedy: "Restore another backup; nothing was changed." },
  );
}

function notEmpty(settings: ConnectionSettings, table: string): Problem {
  return new Problem("conflict", `The database at ${where(settings)} is not empty: ${table} has rows.`, {
    remedy: "Restore into a new database; what is in this one was not touched.",
  });
}
