/**
 * Global setup of the suites that need Postgres: one server for the whole run and one migrated template in it, of which
 * each test file gets a clone (`createTestDatabase`). Everything ends with the run.
 */
import { randomBytes } from "node:crypto";
import type { TestProject } from "vitest/node";
import { silentLogger } from "../../src/kernel/index.ts";
import type { ConnectionSettings } from "../../src/store/index.ts";
import { migrate, openDatabase } from "../../src/store/index.ts";
import { startTestServer } from "./postgres-server.ts";

export interface ProvidedPostgres {
  readonly settings: ConnectionSettings;
  /** Name of the migrated database that test databases are cloned from. */
  readonly template: string;
}

declare module "vitest" {
  interface ProvidedContext {
    postgres: ProvidedPostgres;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startTestServer(process.env));
  const options = { max: 1, applicationName: "test setup", log: silentLogger };
  const admin = stack.use(openDatabase(server.settings, options));
  const template = `shipinator_template_${randomBytes(6).toString("hex")}`;
  await admin.execute(`create database ${template}`);
  stack.defer(async () => {
    await admin.execute(`drop database ${template} with (force)`);
  });
  {
    await using database = openDatabase({ ...server.settings, database: template }, options);
    await migrate(database, { log: silentLogger });
  }
  project.provide("postgres", { settings: server.settings, template });
  const end = stack.move();
  return () => end.disposeAsync();
}
