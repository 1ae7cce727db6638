/** A server that runs for months: the application behind the API, with what it cares for by itself. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Api, fitsSocket, startApi } from "../api/index.ts";
import type { ServerConfig } from "../config/index.ts";
import { isFinalRun } from "../domain/index.ts";
import { createIdleMemory, createLogger, errorMessage, type Logger, Problem } from "../kernel/index.ts";
import {
  createMaintenance,
  createOperations,
  ensureAdminToken,
  localCaller,
  type Operations,
} from "../services/index.ts";
import { type AppOptions, type Composition, compose, isLoopback, settingsOf } from "./compose.ts";
import { aliveBy, runningServer, serverFile } from "./running-server.ts";

export interface ServeOptions extends Omit<AppOptions, "mode"> {
  readonly version: string;
}

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly dataDir: string;
  readonly adminTokenFile: string;
  /** What whoever starts the server should know of its safety, a sentence each. */
  readonly warnings: readonly string[];
  /** Requests are drained, connections closed; what runs goes on and is re-attached by the next server. Idempotent. */
  stop(): Promise<void>;
}

/** Where commands on the same machine find the server and its admin's token. */
const socketFile = "server.sock";
const adminTokenFile = "admin-token";

/** @throws Problem server_config_invalid (also for what would not be safe), environment, data_dir_unusable */
export async function startServer(options: ServeOptions): Promise<Server> {
  const appOptions: AppOptions = { ...options, mode: "serve" };
  const config = await settingsOf(appOptions);
  refuseUnsafe(config, options.host.uid);
  await refuseSecond(config.dataDir, options.host);
  const log = createLogger({
    level: config.logLevel ?? "info",
    destination: { write: options.host.writeLog },
    form: options.host.logForm,
  });
  const composition = compose(appOptions, config, log);
  try {
    return await start(composition, options);
  } catch (error) {
    await composition.close();
    throw error;
  }
}

async function start(composition: Composition, options: ServeOptions): Promise<Server> {
  const { config, deps, executors, log, clock } = composition;
  const { store, owner, announceRestart } = await composition.open();
  const tokenFile = join(config.dataDir, adminTokenFile);
  await ensureAdminToken(store.tokens, { file: tokenFile, host: hostname(), uid: options.host.uid });
  const maintenance = createMaintenance(deps);
  await maintenance.prepare();
  const operations = createOperations(deps, maintenance.missing);
  const socket = socketOf(config.dataDir, log);
  const api = await startApi({
    address: config.listenAddress,
    onListening: executors.listening,
    tls: config.tls.files,
    socket,
    proxy: config.tls.proxy,
    operations,
    version: options.version,
    clock,
    log,
  });
  await using stack = new AsyncDisposableStack();
  stack.use(api);
  const memory = createIdleMemory(clock, log);
  memory.start();
  const traces = await openTraces(composition, operations, options.version);
  const found = join(config.dataDir, serverFile);
  const { pid } = options.host;
  const announcement = `${JSON.stringify({ url: api.url, socket, pid, version: options.version })}\n`;
  writeFileSync(found, announcement, { mode: 0o600 });
  log.info({ url: api.url, data_directory: config.dataDir }, "listening");
  // Runs are carried once it is known where executors elsewhere report to; requests need not wait for that.
  maintenance.start();
  stack.move();

  async function stop(): Promise<void> {
    log.info("stopping");
    forgetAnnouncement(found, announcement, socket);
    // Not ready from here on, also where the database is away and the next question takes its time.
    const drained = stopApi(api);
    if (executors.capabilitiesOf(config.executor).survivesServer && (await mayGoOn())) announceRestart();
    await Promise.all([maintenance[Symbol.asyncDispose](), memory.stop()]);
    await drained;
    await traces?.[Symbol.asyncDispose]();
    await composition.close();
    log.info("stopped");
  }

  /** Whether somebody is to come back for what runs. */
  async function mayGoOn(): Promise<boolean> {
    try {
      return (await store.runs.positions(owner)).length > 0;
    } catch {
      return true;
    }
  }

  async function stopApi(running: Api): Promise<void> {
    try {
      await running.stop();
    } catch (error) {
      log.error({ error: errorMessage(error) }, "the listening server did not end in order");
    }
  }

  let stopped: Promise<void> | undefined;
  const server: Server = {
    url: api.url,
    dataDir: config.dataDir,
    adminTokenFile: tokenFile,
    warnings: executors.warnings,
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => server.stop(),
  };
  return server;
}

/** The socket for commands on this machine; null: its path would be too long, and commands use the address. */
function socketOf(dataDir: string, log: Logger): string | null {
  const path = join(dataDir, socketFile);
  if (fitsSocket(path)) return path;
  log.warn({ path }, "the data directory's path is too long for a Unix socket; commands use the address");
  return null;
}

/** Loaded where it is asked for: it costs nothing else. */
async function openTraces(
  { config, log }: Composition,
  operations: Operations,
  version: string,
): Promise<AsyncDisposable | null> {
  const endpoint = config.telemetry.otlpEndpoint;
  if (endpoint === null) return null;
  const { startTraces } = await import("../telemetry/index.ts");
  const client = operations.as(localCaller("traces"));
  const traces = startTraces({ endpoint, version, read: (run) => client.get(run), log });
  await operations.watch.onRecorded(({ run }, runId) => {
    if (run?.status && isFinalRun(run.status.to)) traces.runEnded(runId);
  });
  return traces;
}

/** Another server may have taken the place of one that was slow to stop. */
function forgetAnnouncement(path: string, own: string, socket: string | null): void {
  try {
    if (readFileSync(path, "utf8") !== own) return;
    rmSync(path);
    if (socket !== null) rmSync(socket, { force: true });
  } catch {
    // It is gone already, or cannot be read: whoever reads it next finds that nobody listens there.
  }
}

/** @throws Problem environment */
async function refuseSecond(dataDir: string, { kill }: ServeOptions["host"]): Promise<void> {
  const running = await runningServer(dataDir, aliveBy(kill));
  if (running === null) return;
  throw new Problem(
    "environment",
    `A server of this data directory runs already: process ${running.pid}, ${running.url}.`,
    {
      place: dataDir,
      remedy: `End it with \`kill ${running.pid}\`, or name another data directory with SHIPINATOR_DATA_DIR.`,
    },
  );
}

/** @throws Problem server_config_invalid */
function refuseUnsafe(config: ServerConfig, uid: number): void {
  const { host, port } = config.listenAddress;
  if (!isLoopback(host) && config.tls.files === null && !config.tls.proxy)
    throw new Problem(
      "server_config_invalid",
      `listening on ${host}:${port} without TLS would show every token to whoever is on the way`,
      {
        place: "listen_address",
        remedy:
          "Listen on 127.0.0.1, or name SHIPINATOR_TLS_CERTIFICATE and SHIPINATOR_TLS_KEY, or say SHIPINATOR_TLS_PROXY=true where a proxy before it does TLS.",
      },
    );
  if (uid === 0 && config.local.user === null && config.local.users.length === 0)
    throw new Problem(
      "server_config_invalid",
      "as root, every step of every pipeline would run as root and could do anything to this machine",
      {
        place: "local.user",
        remedy:
          "Name an account for them in SHIPINATOR_LOCAL_USER, run the server under an account of its own, or say that you know it: SHIPINATOR_LOCAL_USER=root",
      },
    );
}
