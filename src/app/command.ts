/** The application behind one command: a client over this process's own database and executor. */

import type { ServerConfig } from "../config/index.ts";
import { createLogger, type Logger, silentLogger } from "../kernel/index.ts";
import {
  type Client,
  createOperations,
  localCaller,
  type OpenDatabase,
  observeAbandoned,
} from "../services/index.ts";
import { type AppOptions, compose, settingsOf } from "./compose.ts";

export interface App extends AsyncDisposable {
  readonly client: Client;
  readonly dataDir: string;
  /** Store and orchestrator, for what measures or proves them. */
  open(): Promise<OpenDatabase>;
  /** Stops carrying; what runs goes on and is found by the next command. Idempotent. */
  close(): Promise<void>;
}

export async function openApp(options: AppOptions): Promise<App> {
  const config = await settingsOf(options);
  const { deps, open, letGo, close } = compose(options, config, openLog(options, config));
  // In `run` Postgres starts while the source is read; whoever needs it first hears of a failure.
  if (options.mode === "run") open().catch(() => undefined);
  if (options.mode === "read") await closeOnFailure(observeAbandoned(deps, letGo), close);
  return {
    client: createOperations(deps).as(localCaller(options.login())),
    dataDir: config.dataDir,
    open,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Who is not given the application cannot close it: what is open of it, the database among it, ends here. */
async function closeOnFailure(work: Promise<unknown>, close: () => Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    await close();
    throw error;
  }
}

/** A command's own log is for the curious: where log_level is set, on standard error. */
function openLog({ host }: AppOptions, { logLevel: level }: ServerConfig): Logger {
  return level === null
    ? silentLogger
    : createLogger({ level, destination: { write: host.writeLog }, form: host.logForm });
}
