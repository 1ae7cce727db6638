/** The application of one command: a client for this process's own database and executor. */
import type { ServerConfig } from "../config/index.ts";
import { createLogger, type Logger, silentLogger } from "../kernel/index.ts";
import {
  type Client,
  createServices,
  localCaller,
  type OpenDatabase,
  observeAbandoned,
} from "../services/index.ts";
import type { AppOptions } from "./app-options.ts";
import { compose, settingsOf } from "./compose.ts";

export interface App extends AsyncDisposable {
  readonly client: Client;
  readonly dataDir: string;
  /** Store and orchestrator, for tests and benchmarks. */
  open(): Promise<OpenDatabase>;
  /** Stops driving runs. Steps keep running, and the next command re-attaches to them. Idempotent. */
  close(): Promise<void>;
}

export async function openApp(options: AppOptions): Promise<App> {
  const config = await settingsOf(options);
  const { deps, open, detach, close } = compose(options, config, openLog(options, config));
  // In `run`, Postgres starts while the source is read. The first user of the database gets a failure.
  if (options.mode === "run") open().catch(() => undefined);
  if (options.mode === "read") await closeOnFailure(observeAbandoned(deps, detach), close);
  return {
    client: createServices(deps).as(localCaller(options.login())),
    dataDir: config.dataDir,
    open,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Closes everything and rethrows when opening fails, because the caller never gets an `App` to close. */
async function closeOnFailure(work: Promise<unknown>, close: () => Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    await close();
    throw error;
  }
}

/** A command logs to standard error, and only when log_level is set. */
function openLog({ host }: AppOptions, { logLevel: level }: ServerConfig): Logger {
  return level === null
    ? silentLogger
    : createLogger({ level, destination: { write: host.writeLog }, form: host.logForm });
}
