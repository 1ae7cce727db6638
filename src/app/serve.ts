/** The server: the application with the API and maintenance. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Api, fitsSocket, startApi } from "../api/index.ts";
import type { ServerConfig } from "../config/index.ts";
import { isFinalRun } from "../domain/index.ts";
import { createIdleMemory, createLogger, errorMessage, type Logger, Problem } from "../kernel/index.ts";
import {
  createMaintenance,
  createServices,
  ensureAdminToken,
  localCaller,
  type Services,
} from "../services/index.ts";
import type { AppOptions } from "./app-options.ts";
import { type Composition, compose, isLoopback, settingsOf } from "./compose.ts";
import { aliveBy, runningServer, serverFile } from "./running-server.ts";

export interface ServeOptions extends Omit<AppOptions, "mode"> {
  readonly version: string;
}

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly dataDir: string;
  readonly adminTokenFile: string;
  /** Warnings about security, one sentence each. */
  readonly warnings: readonly string[];
  /** Drains requests and closes connections. Steps keep running, and the next server re-attaches to them. Idempotent. */
  stop(): Promise<void>;
}

/** Names of files with which commands on the same machine find the server and its admin token. */
const socketFile = "server.sock";
const adminTokenFile = "admin-token";

/** @throws Problem server_config_invalid (also for unsafe settings), environment, data_dir_unusable */
export async function startServer(options: ServeOptions): Promise<Server> {
  const appOptions: AppOptions = { ...options, mode: "serve" };
  const config = await settingsOf(appOptions);
  requireSafeConfig(config, options.host.uid);
  await requireNoOtherServer(config.dataDir, options.host);
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
  const operations = createServices(deps, maintenance.missing);
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
  // Maintenance drives runs, so it starts when the address for agents is known. Requests do not wait for it.
  maintenance.start();
  stack.move();

  async function stop(): Promise<void> {
    log.info("stopping");
    removeAnnouncement(found, announcement, socket);
    // The API stops first, because a database that is down delays the next query.
    const drained = stopApi(api);
    if (executors.capabilitiesOf(config.executor).survivesServer && (await hasRuns())) announceRestart();
    await Promise.all([maintenance[Symbol.asyncDispose](), memory.stop()]);
    await drained;
    await traces?.[Symbol.asyncDispose]();
    await composition.close();
    log.info("stopped");
  }

  /** Tests whether runs remain for the next server. */
  async function hasRuns(): Promise<boolean> {
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
      log.error({ error: errorMessage(error) }, "the API did not stop cleanly");
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

/** Path of the socket for commands on this machine, or null when it is too long. */
function socketOf(dataDir: string, log: Logger): string | null {
  const path = join(dataDir, socketFile);
  if (fitsSocket(path)) return path;
  log.warn(
    { path },
    "the path of the data directory is too long for a Unix socket, so commands use the address",
  );
  return null;
}

/** Opens traces. The library is loaded only when they are configured. */
async function openTraces(
  { config, log }: Composition,
  operations: Services,
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

/** Removes the announcement, unless a newer server has replaced it. */
function removeAnnouncement(path: string, own: string, socket: string | null): void {
  try {
    if (readFileSync(path, "utf8") !== own) return;
    rmSync(path);
    if (socket !== null) rmSync(socket, { force: true });
  } catch {
    // The file is absent or not readable. Readers check that the server listens.
  }
}

/** @throws Problem environment */
async function requireNoOtherServer(dataDir: string, { kill }: ServeOptions["host"]): Promise<void> {
  const running = await runningServer(dataDir, aliveBy(kill));
  if (running === null) return;
  throw new Problem(
    "environment",
    `A server of this data directory is already running: process ${running.pid}, ${running.url}.`,
    {
      place: dataDir,
      remedy: `Stop it with \`kill ${running.pid}\`, or set another data directory with SHIPINATOR_DATA_DIR.`,
    },
  );
}

/** @throws Problem server_config_invalid */
function requireSafeConfig(config: ServerConfig, uid: number): void {
  const { host, port } = config.listenAddress;
  if (!isLoopback(host) && config.tls.files === null && !config.tls.proxy)
    throw new Problem(
      "server_config_invalid",
      `Listening on ${host}:${port} without TLS would expose every token to the network.`,
      {
        place: "listen_address",
        remedy:
          "Listen on 127.0.0.1, or set SHIPINATOR_TLS_CERTIFICATE and SHIPINATOR_TLS_KEY, or set SHIPINATOR_TLS_PROXY=true behind a proxy that terminates TLS.",
      },
    );
  if (uid === 0 && config.local.user === null && config.local.users.length === 0)
    throw new Problem(
      "server_config_invalid",
      "Every step of every pipeline would run as root and could change anything on this machine.",
      {
        place: "local.user",
        remedy:
          "Set an account for steps with SHIPINATOR_LOCAL_USER, run the server under its own account, or allow it with SHIPINATOR_LOCAL_USER=root.",
      },
    );
}
