/** Composes everything into one process: database, executor, orchestrator, and the client over them. */
import { hostname } from "node:os";
import { join } from "node:path";
import {
  type ArtifactStore,
  createArtifactStore,
  createRegistry,
  dockerCredentials,
} from "./artifacts/index.ts";
import { buildinator } from "./buildinator/index.ts";
import type { DatabaseConfig, ServerConfig } from "./config/index.ts";
import { deployinator } from "./deployinator/index.ts";
import type { Inator, JobType } from "./domain/index.ts";
import { createLocalExecutor, type LocalExecutor, readProcess, thisMachine } from "./executor/local/index.ts";
import { type Clock, createLogger, type Logger, silentLogger, systemClock } from "./kernel/index.ts";
import { createLogStore, type LogStore } from "./logs/index.ts";
import {
  type Client,
  createEmbeddedClient,
  isNodeAlive,
  joinNodes,
  makeDataDirectory,
  type OpenDatabase,
  type OperationsDeps,
  readSettings,
  readSettingsFile,
  recordAbandoned,
  stepAllowList,
  tidy,
} from "./operations/index.ts";
import { createOrchestrator } from "./orchestrator/index.ts";
import { createSource, type Source } from "./source/index.ts";
import {
  type ConnectionSettings,
  createStore,
  migrate,
  type NodeRow,
  openDatabase,
  startEmbeddedPostgres,
} from "./store/index.ts";
import { testinator } from "./testinator/index.ts";

/** What only `main` can read off the process. */
export interface HostProcess {
  readonly pid: number;
  readonly platform: string;
  readonly uid: number;
  readonly gid: number;
  /** `process.kill`. */
  readonly kill: (pid: number, signal: NodeJS.Signals | 0) => true;
  /** Where log lines go when they are asked for. */
  readonly writeLog: (line: string) => void;
}

export interface AppOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly host: HostProcess;
  readonly cwd: string;
  readonly home: string;
  readonly configFile: string | null;
  /** `run` carries runs; `read` only looks, and records what has ended of runs that nobody carries. */
  readonly mode: "run" | "read";
}

export interface App extends AsyncDisposable {
  readonly client: Client;
  readonly dataDir: string;
  /** Store and orchestrator, for what measures or proves them. */
  open(): Promise<OpenDatabase>;
  /** Stops carrying; what runs goes on and is found by the next command. Idempotent. */
  close(): Promise<void>;
}

const connections = 6;
const registryTimeoutMs = 30_000;

const inators: ReadonlyMap<JobType, Inator> = new Map(
  [buildinator, testinator, deployinator].map((inator) => [inator.jobType, inator]),
);

interface Parts {
  readonly options: AppOptions;
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly source: Source;
  readonly logs: LogStore;
  readonly stack: AsyncDisposableStack;
}

export async function openApp(options: AppOptions): Promise<App> {
  const config = readSettings({ ...options, uid: options.host.uid });
  const clock = systemClock;
  const log = openLog(options, config);
  const stack = new AsyncDisposableStack();
  const environment = stepAllowList(options.environment, options.home);
  makeDataDirectory(config.dataDir, options.host.uid, [
    ...["mirrors", "logs", "work"].map((name) => join(config.dataDir, name)),
    config.artifactPath,
  ]);
  const urlPolicy = { allowLocal: config.git.allowFileUrls, allowHttp: false };
  const source = stack.use(
    createSource({
      directory: join(config.dataDir, "mirrors"),
      environment,
      config: "person",
      urls: urlPolicy,
      clock,
      log,
    }),
  );
  const logs = createLogStore({
    base: join(config.dataDir, "logs"),
    capBytes: config.local.logCapBytes,
    clock,
    log,
  });
  const parts: Parts = { options, config, clock, log, source, logs, stack };
  let opened: Promise<OpenDatabase> | undefined;
  const open = () => (opened ??= openParts(parts, executor));
  const executor = createExecutor(parts, environment, async () => (await open()).artifacts);
  const deps: OperationsDeps = {
    database: open,
    mode: options.mode,
    source,
    logs,
    executor,
    inators,
    graceSeconds: config.local.graceSeconds,
    urlPolicy,
    dataDirectory: config.dataDir,
    isAlive,
    clock,
    log,
  };
  // In `run` Postgres starts while the source is read; whoever needs it first hears of a failure.
  if (options.mode === "run") open().catch(() => undefined);
  let closed: Promise<void> | undefined;
  const close = () =>
    (closed ??= (async () => {
      // What is being opened must be there to be closed.
      await opened?.catch(() => undefined);
      await stack.disposeAsync();
    })());
  if (options.mode === "read") await closeOnFailure(recordAbandoned(deps), close);
  return {
    client: createEmbeddedClient(deps),
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

async function openParts(parts: Parts, executor: LocalExecutor): Promise<OpenDatabase> {
  const { options, config, clock, log, stack } = parts;
  const settings = config.db === null ? await embedded(parts) : external(config.db);
  const database = stack.use(
    openDatabase(settings, { max: connections, applicationName: "shipinator", log }),
  );
  await migrate(database, { log });
  const store = createStore(database);
  const { pid } = options.host;
  const { owner } = stack.use(
    await joinNodes({
      nodes: store.nodes,
      identity: { ...thisMachine(), host: hostname(), pid, pidStartTime: startTimeOf(pid) ?? "unknown" },
      dataDirectory: config.dataDir,
      clock,
      log,
    }),
  );
  const artifacts = createArtifactStore({
    base: config.artifactPath,
    nodeId: owner.node,
    instance: String(pid),
    clock,
    log,
    minFreeBytes: config.local.minFreeBytes,
  });
  stack.use(executor);
  const orchestrator = stack.use(
    createOrchestrator({
      store,
      executor,
      artifacts,
      registry: createRegistry({
        plainHttp: config.registry.plainHttp,
        timeoutMs: registryTimeoutMs,
        credentials: dockerCredentials(options.environment.DOCKER_CONFIG ?? join(options.home, ".docker")),
      }),
      inators,
      owner,
      slots: Math.min(config.local.slots, config.parallelLimit),
      clock,
      log,
    }),
  );
  if (options.mode === "run") {
    orchestrator.start();
    const tidying = tidy({
      store,
      artifacts,
      sweepWorkspaces: (isOver) => executor.sweep(isOver),
      isAlive,
      log,
    });
    stack.defer(() => tidying);
  }
  return { store, orchestrator, artifacts, owner, connection: settings };
}

async function embedded({ options, config, clock, log, stack }: Parts): Promise<ConnectionSettings> {
  const { uid, gid, kill } = options.host;
  const server = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    ...(config.embedded.user === null ? {} : { user: config.embedded.user }),
    environment: { uid, gid, kill },
    clock,
    log,
  });
  stack.use(server);
  return server.connection;
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

function isAlive(node: NodeRow): boolean {
  return isNodeAlive(node, thisMachine(), startTimeOf, systemClock.now());
}

/** @returns null when there is no such process, or only its remains */
function startTimeOf(pid: number): string | null {
  const found = readProcess(pid);
  return found === null || found.zombie ? null : found.start;
}

function createExecutor(
  { options, config, clock, log, source, logs }: Parts,
  environment: Readonly<Record<string, string>>,
  artifacts: () => Promise<ArtifactStore>,
): LocalExecutor {
  const { kill, platform } = options.host;
  return createLocalExecutor({
    directory: join(config.dataDir, "work"),
    environment,
    clock,
    log,
    logCapBytes: config.local.logCapBytes,
    minFreeBytes: config.local.minFreeBytes,
    kill,
    platform,
    async checkout(spec, directory) {
      const { notes } = await source.checkout(spec, directory);
      for (const note of notes) log.info({ note }, "checked out");
    },
    async restore(artifact, { root, kind }) {
      const store = await artifacts();
      await store.restore({ artifact, root, kind: kind === "artifacts" ? "directory" : "workspace" });
    },
    logFile: (executionId) => logs.prepare(executionId),
  });
}

/** A command's own log is for the curious: where log_level is set, on standard error. */
function openLog({ host }: AppOptions, { logLevel: level }: ServerConfig): Logger {
  return level === null ? silentLogger : createLogger({ level, destination: { write: host.writeLog } });
}
