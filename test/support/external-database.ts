/**
 * A database for one world on the server that SHIPINATOR_TEST_DB_* names, so that the tests of the whole program run
 * against an external Postgres as they are. Without these variables a world makes its own, as the program does.
 *
 * As a program (`create NAME` or `drop NAME`) it does the work, for a world is made and ended without waiting.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/kernel/index.ts";
import { openDatabase } from "../../src/store/index.ts";
import { externalSettings } from "./postgres-server.ts";

export interface ExternalDatabase {
  /** What switches the program to it. */
  readonly variables: Readonly<Record<string, string>>;
  drop(): void;
}

/** What only a database of our own can show (its files, its processes) is no test where there is none. */
export const databaseIsOurs = externalSettings(process.env) === null;

/** Null where no server is named. */
export function createExternalDatabase(): ExternalDatabase | null {
  const settings = externalSettings(process.env);
  if (settings === null) return null;
  const name = `shipinator_world_${randomBytes(6).toString("hex")}`;
  perform("create", name);
  return {
    variables: {
      SHIPINATOR_DB_HOST: settings.host,
      SHIPINATOR_DB_PORT: String(settings.port),
      SHIPINATOR_DB_USER: settings.user,
      SHIPINATOR_DB_PASSWORD: settings.password,
      SHIPINATOR_DB_SSL_MODE: settings.sslMode,
      SHIPINATOR_DB_NAME: name,
    },
    drop: () => perform("drop", name),
  };
}

const self = fileURLToPath(import.meta.url);

function perform(verb: "create" | "drop", name: string): void {
  execFileSync(process.execPath, [self, verb, name], { stdio: ["ignore", "inherit", "inherit"] });
}

if (process.argv[1] === self) {
  const [verb, name = ""] = process.argv.slice(2);
  const settings = externalSettings(process.env);
  if (settings === null || !/^\w+$/.test(name))
    throw new Error("usage: create|drop NAME, with SHIPINATOR_TEST_DB_*");
  await using admin = openDatabase(settings, { max: 1, applicationName: "test world", log: silentLogger });
  await admin.execute(
    verb === "create" ? `create database ${name}` : `drop database if exists ${name} with (force)`,
  );
}
