/** A database for one test file: cloned, dropped at the end, and watched for connections that nobody closed. */
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { silentLogger } from "../../src/kernel/index.ts";
import type { ConnectionSettings } from "../../src/store/index.ts";
import { type Database, openDatabase } from "../../src/store/index.ts";
import { eventually } from "./eventually.ts";
// Brings the type of what the global setup provides.
import type {} from "./postgres.ts";

export interface TestDatabase extends AsyncDisposable {
  readonly settings: ConnectionSettings;
  /** A pool on it, for the test to close. */
  open(max?: number): Database;
  /** Drops it; fails when a connection was left open. */
  drop(): Promise<void>;
}

/** `migrated` has the program's schema, `empty` nothing. */
export async function createTestDatabase(from: "migrated" | "empty" = "migrated"): Promise<TestDatabase> {
  const { settings, template } = inject("postgres");
  const name = `shipinator_test_${randomBytes(6).toString("hex")}`;
  {
    await using admin = openAdmin(settings);
    await admin.execute(`create database ${name} template ${from === "migrated" ? template : "template0"}`);
  }
  const own = { ...settings, database: name };
  const database: TestDatabase = {
    settings: own,
    open: (max = 10) => openDatabase(own, { max, applicationName: "test", log: silentLogger }),
    drop: () => drop(settings, name),
    [Symbol.asyncDispose]: () => database.drop(),
  };
  return database;
}

function openAdmin(settings: ConnectionSettings): Database {
  return openDatabase(settings, { max: 1, applicationName: "test admin", log: silentLogger });
}

async function drop(settings: ConnectionSettings, name: string): Promise<void> {
  await using admin = openAdmin(settings);
  const leaked = await leftOpen(admin, name);
  await admin.execute(`drop database ${name} with (force)`);
  if (leaked.length > 0) throw new Error(`connections left open on ${name}:\n${leaked.join("\n")}`);
}

/** A closed connection stays visible until its backend has noticed, so only what persists is a leak. */
async function leftOpen(admin: Database, name: string): Promise<string[]> {
  let clients: { readonly client: string }[] = [];
  const isClosed = async () => {
    clients = await admin.query<{ client: string }>(
      `select concat_ws(' | ', application_name, state, left(query, 200)) as client
       from pg_stat_activity where datname = $1::text and backend_type = 'client backend'`,
      [name],
    );
    return clients.length === 0;
  };
  await eventually(isClosed, { patienceMs: 3_000 }).catch(() => false);
  return clients.map(({ client }) => client);
}
