/**
 * Brings the database to this program's schema: forward only, at every start, one quick question when there is nothing
 * to do. All pending files of `migrations/` run in one transaction under an advisory lock, so that two processes may
 * start at once and a failure leaves nothing half-done.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { errorCode, errorMessage, type Logger, Problem } from "../../kernel/index.ts";
import { clientConfig } from "./connection.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import type { Database } from "./database.ts";
import { isSessionError, translateError, where } from "./database-errors.ts";

export interface MigrateOptions {
  readonly log: Logger;
  /** Directory of `.sql` files, applied in the order of their numbers. Default: the program's own. */
  readonly directory?: string;
  /** Names of the migrations to stop after, for tables that come from there. Default: all. */
  readonly upTo?: readonly string[];
}

/** The program's own migrations: the same place seen from `src/store` and from `dist/store`. */
const ownDirectory = fileURLToPath(new URL("../../../migrations", import.meta.url));

/** The first of the migrations that the baseline replaced. */
const unreleased = "0001_tables";

const OLDEST_SERVER = 15;
const UNDEFINED_TABLE = "42P01";

/**
 * Gives the names of the migrations applied by this call, in order; none when the schema was up to date.
 *
 * Problems: `database_newer` when the database holds a migration that this program does not know, `environment` for a
 * server older than Postgres 15, `internal` when a migration fails (which one, and at which line).
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<readonly string[]> {
  const directory = options.directory ?? ownDirectory;
  const known = migrationNames(directory);
  const state = await readState(database);
  refuseOldServer(state, database.settings);
  refuseNewerDatabase(state, known, database.settings);
  const wanted = options.upTo ?? known;
  if (wanted.some((name, index) => name !== known[index])) throw unknownSchema(wanted, known);
  const missing = wanted.length - state.names.length;
  if (missing < 0) throw beyond(state.names, wanted, database.settings);
  if (missing === 0) return [];
  return await applyPending(database.settings, { ...options, directory, missing }, known);
}

function beforeFirstRelease(subject: string): Problem {
  return new Problem(
    "database_newer",
    `${subject} was made by a version of Shipinator before the first release, and there is no migration from it.`,
    {
      remedy:
        "Name a new data directory or database, or use the version that made it to read its runs. Nothing was changed.",
    },
  );
}

function unknownSchema(wanted: readonly string[], known: readonly string[]): Problem {
  if (wanted[0] === unreleased) return beforeFirstRelease("This backup");
  const unknown = wanted.filter((name) => !known.includes(name));
  return new Problem(
    "database_newer",
    `These tables were made by another Shipinator (${unknown.join(", ") || "in another order"}), and this one does not know them.`,
    { remedy: "Install that version, or a newer one. Nothing was changed." },
  );
}

function beyond(names: readonly string[], wanted: readonly string[], settings: ConnectionSettings): Problem {
  return new Problem(
    "conflict",
    `The database at ${where(settings)} has the schema of ${names.at(-1)} already, and these tables that of ${wanted.at(-1)}.`,
    { remedy: "Give them a new database." },
  );
}

interface State {
  /** `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  /** Names in `pgmigrations`, in the order of application. */
  readonly names: readonly string[];
}

async function readState(database: Database): Promise<State> {
  const version = "current_setting('server_version_num')::int as version";
  try {
    const rows = await database.query<State>(
      `select ${version}, array(select name::text from pgmigrations order by id) as names`,
    );
    return rows[0] ?? { version: 0, names: [] };
  } catch (error) {
    if (errorCode(error) !== UNDEFINED_TABLE) throw error;
    const rows = await database.query<State>(`select ${version}, array[]::text[] as names`);
    return rows[0] ?? { version: 0, names: [] };
  }
}

function migrationNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(".sql"))
    .map((file) => basename(file, ".sql"))
    .sort();
}

function refuseOldServer(state: State, settings: ConnectionSettings): void {
  const major = Math.floor(state.version / 10_000);
  if (major >= OLDEST_SERVER) return;
  throw new Problem(
    "environment",
    `The server at ${where(settings)} is Postgres ${major}, and the schema needs ${OLDEST_SERVER} or later.`,
    { remedy: "Upgrade the server, or unset SHIPINATOR_DB_HOST to use the embedded one." },
  );
}

function refuseNewerDatabase(state: State, known: readonly string[], settings: ConnectionSettings): void {
  if (state.names[0] === unreleased) throw beforeFirstRelease(`The database at ${where(settings)}`);
  const unknown = state.names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new Problem(
    "database_newer",
    `The database "${settings.database}" was changed by a newer Shipinator (${unknown.join(", ")}), and this one ` +
      "could damage what it does not understand. Nothing was changed.",
    { remedy: "Install the newer version again, or name another database or data directory." },
  );
}

async function applyPending(
  settings: ConnectionSettings,
  options: MigrateOptions & { readonly directory: string; readonly missing: number },
  known: readonly string[],
): Promise<readonly string[]> {
  // Loaded when needed: its import takes longer than all the rest of a start.
  const { runner } = await import("node-pg-migrate");
  const client = new pg.Client(
    clientConfig(settings, { applicationName: "shipinator migrate", statementTimeoutMs: 0 }),
  );
  // What befalls the connection also fails the statement that waits on it.
  client.on("error", (error) => options.log.debug({ err: error }, "connection error"));
  let current = known[0] ?? "";
  try {
    await client.connect();
    const applied = await runner({
      dbClient: client,
      dir: options.directory,
      // Files that are not SQL (a README) are none of its business.
      ignorePattern: "(?!.*\\.sql$).*",
      direction: "up",
      count: options.missing,
      migrationsTable: "pgmigrations",
      advisoryLockMode: "wait",
      singleTransaction: true,
      logger: {
        info: (message) => {
          current = nameIn(message) ?? current;
          options.log.debug(message);
        },
        warn: (message) => options.log.debug(message),
        error: (message) => options.log.debug(message),
      },
    });
    return applied.map(({ name }) => name);
  } catch (error) {
    if (isSessionError(error)) throw translateError(error, settings);
    throw failed(error, options.directory, current);
  } finally {
    await client.end();
  }
}

/** The runner names the current file in its log alone. */
function nameIn(message: string): string | undefined {
  return /^### MIGRATION (.+) \(UP\) ###$/.exec(message)?.[1];
}

function failed(error: unknown, directory: string, name: string): Problem {
  return new Problem("internal", `The migration failed and nothing was changed: ${errorMessage(error)}.`, {
    place: placeOf(error, directory, name),
    remedy:
      "Report this with the version of the program and of Postgres; the older version still works on it.",
    cause: error,
  });
}

/** The line where Postgres stumbled; an error that is not Postgres' is about the files as a whole. */
function placeOf(error: unknown, directory: string, name: string): string {
  if (!(error instanceof pg.DatabaseError)) return directory;
  const file = join(directory, `${name}.sql`);
  if (error.position === undefined) return file;
  const before = readFileSync(file, "utf8").slice(0, Number(error.position) - 1);
  return `${file}:${before.split("\n").length}`;
}
