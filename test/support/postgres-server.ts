/** The server that the Postgres tests of one run share: an embedded one, or the one that SHIPINATOR_TEST_DB_* names. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock } from "../../src/kernel/index.ts";
import { type EmbeddedOptions, startEmbeddedPostgres } from "../../src/postgres/index.ts";
import type { ConnectionSettings } from "../../src/store/index.ts";

export interface TestServer extends AsyncDisposable {
  /** A role that may create databases, and a database of its own to do so from. */
  readonly settings: ConnectionSettings;
}

export async function startTestServer(env: NodeJS.ProcessEnv): Promise<TestServer> {
  const settings = externalSettings(env);
  return settings === null ? await embedded() : { settings, ...nothingToStop };
}

/** What `main` will read off the process. */
export function thisProcess(): EmbeddedOptions["environment"] {
  return {
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
    kill: (pid, signal) => process.kill(pid, signal),
  };
}

async function embedded(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "shipinator-test-"));
  const server = await startEmbeddedPostgres({
    dataDir,
    environment: thisProcess(),
    clock: systemClock,
    log: silentLogger,
  });
  return {
    settings: server.connection,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

const nothingToStop = { [Symbol.asyncDispose]: async () => {} };

/** Null where SHIPINATOR_TEST_DB_HOST names no server. */
export function externalSettings(env: NodeJS.ProcessEnv): ConnectionSettings | null {
  const host = env.SHIPINATOR_TEST_DB_HOST;
  if (host === undefined || host === "") return null;
  const sslMode = env.SHIPINATOR_TEST_DB_SSL_MODE ?? "disable";
  if (sslMode !== "disable" && sslMode !== "require" && sslMode !== "verify-full") {
    throw new Error(`SHIPINATOR_TEST_DB_SSL_MODE: "${sslMode}" is none of disable, require, verify-full`);
  }
  return {
    host,
    port: Number(env.SHIPINATOR_TEST_DB_PORT ?? "5432"),
    user: env.SHIPINATOR_TEST_DB_USER ?? "postgres",
    password: env.SHIPINATOR_TEST_DB_PASSWORD ?? "",
    database: env.SHIPINATOR_TEST_DB_NAME ?? "postgres",
    sslMode,
  };
}
