/** Connects to the configured database: an embedded one, which it starts, or an external one. */
import type { DatabaseConfig, ServerConfig } from "../config/index.ts";
import type { Clock, Logger } from "../kernel/index.ts";
import { type EmbeddedOptions, startEmbeddedPostgres } from "../postgres/index.ts";
import { readSettingsFile } from "../services/index.ts";
import type { ConnectionSettings } from "../store/index.ts";

export interface Connected {
  readonly settings: ConnectionSettings;
  /** Uid of the owner of the database files, or null for an external database. */
  readonly owner: number | null;
  /** Replaces an error of this connection with a more precise one if its cause is known. */
  explain(error: unknown): unknown;
}

export interface ConnectDeps {
  readonly host: EmbeddedOptions["environment"];
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly log: Logger;
  /** Stack that stops the embedded database. */
  readonly stack: AsyncDisposableStack;
}

/** @throws Problem data_dir_unusable, environment, database_unavailable, server_config_invalid */
export async function connect({ host, config, clock, log, stack }: ConnectDeps): Promise<Connected> {
  if (config.db !== null) return { settings: external(config.db), owner: null, explain: (error) => error };
  const { uid, gid, kill } = host;
  const server = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    ...(config.embedded.user === null ? {} : { user: config.embedded.user }),
    environment: { uid, gid, kill },
    clock,
    log,
  });
  stack.use(server);
  return { settings: server.connection, owner: server.facts.account.uid, explain: server.explain };
}

function external(db: DatabaseConfig): ConnectionSettings {
  const { host, port, user, name: database, sslMode } = db;
  const root = db.sslRootCertificate;
  return {
    host,
    port,
    user,
    database,
    sslMode,
    password: db.password.reveal(),
    ...(root === null ? {} : { sslRootCertificate: readSettingsFile(root) }),
  };
}
