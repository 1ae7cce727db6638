/** What every way to run Shipinator stands on, put together: database, executor, orchestrator, and what they need. */
import { hostname } from "node:os";
import { join } from "node:path";
import { createArtifactStore } from "../artifacts/index.ts";
import type { ServerConfig } from "../config/index.ts";
import type { Inator, JobType } from "../domain/index.ts";
import { buildinator, deployinator, testinator } from "../domain/index.ts";
import { type Clock, type LogForm, type Logger, systemClock, thisMachine } from "../kernel/index.ts";
import { createLogStore, type LogStore } from "../logs/index.ts";
import { createOrchestrator } from "../orchestrator/index.ts";
import {
  type Authenticator,
  cleanUp,
  createAuthenticator,
  createExecutionTokens,
  createResolver,
  createSecretKeys,
  findStepAccount,
  findStepAccounts,
  makeDataDirectory,
  type OpenDatabase,
  type OperationsDeps,
  readSettings,
  refuseDatabaseOwner,
  registerInstance,
  type SecretKeys,
  type StepAccount,
  stepAllowList,
} from "../services/index.ts";
import { createSource, type Source, type UrlPolicy } from "../source/index.ts";
import { createChangeFeed, createStore, migrate, openDatabase } from "../store/index.ts";
import { connect } from "./database.ts";
import { type Executors, openExecutors } from "./executors.ts";
import { cloneCredentials, openRegistry } from "./logins.ts";
import { isAlive, startTimeOf } from "./processes.ts";

/** What only `main` can read off the process. */
export interface HostProcess {
  readonly pid: number;
  readonly platform: string;
  readonly uid: number;
  readonly gid: number;
  /** `process.kill`. */
  readonly kill: (pid: number, signal: NodeJS.Signals | 0) => true;
  /** Path of the Node that runs this. */
  readonly node: string;
  /** Where log lines go when they are asked for. */
  readonly writeLog: (line: string) => void;
  readonly logForm: LogForm;
}

export interface AppOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly host: HostProcess;
  readonly cwd: string;
  readonly home: string;
  /** Who asks, recorded. */
  readonly login: () => string;
  readonly configFile: string | null;
  /**
   * `run` carries runs; `read` only looks, and records what has ended of runs that nobody carries; `serve` carries for
   * months, and takes over what others left behind.
   */
  readonly mode: "run" | "read" | "serve";
}

const connections = { run: 6, read: 6, serve: 12 } as const;

const inators: ReadonlyMap<JobType, Inator> = new Map(
  [buildinator, testinator, deployinator].map((inator) => [inator.jobType, inator]),
);

interface Parts {
  readonly options: AppOptions;
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly source: Source;
  readonly urlPolicy: UrlPolicy;
  readonly logs: LogStore;
  readonly secretKeys: SecretKeys;
  readonly authenticator: Authenticator;
  readonly accounts: readonly StepAccount[];
  readonly stack: AsyncDisposableStack;
}

export interface Composition {
  readonly config: ServerConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly deps: OperationsDeps;
  readonly executors: Executors;
  /** Opens the database at the first call. */
  open(): Promise<OpenDatabase>;
  /** Ends the following of what still runs, which goes on; nothing can be carried afterwards. */
  letGo(): Promise<void>;
  /** Stops carrying; what runs goes on and is found by whoever comes next. Idempotent. */
  close(): Promise<void>;
}

/** @throws Problem server_config_invalid, data_dir_unusable */
export function compose(options: AppOptions, config: ServerConfig, log: Logger): Composition {
  const clock = systemClock;
  const stack = new AsyncDisposableStack();
  const account = findStepAccount(config.local.user, options.host.uid);
  const accounts = findStepAccounts(config.local.users, options.host.uid);
  // A person's own run finds what the person's shell would.
  const homes = options.mode === "serve" ? config.local.home : "shared";
  const environment = stepAllowList(options.environment, options.home, {
    account: account ?? accounts[0] ?? null,
    homes,
  });
  makeDataDirectory(config.dataDir, options.host.uid, [
    ...["mirrors", "logs", "work"].map((name) => join(config.dataDir, name)),
    config.artifactPath,
  ]);
  const secretKeys = createSecretKeys(
    config.dataDir,
    config.secrets.keys?.map((key) => key.reveal()) ?? null,
  );
  const urlPolicy = { allowLocal: config.git.allowFileUrls, allowHttp: false };
  const source = stack.use(
    createSource({
      directory: join(config.dataDir, "mirrors"),
      environment: stepAllowList(options.environment, options.home),
      config: "person",
      credentials: cloneCredentials({ database: () => open(), secretKeys, dataDir: config.dataDir }),
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
  let opened: Promise<OpenDatabase> | undefined;
  const executionTokens = createExecutionTokens(config.dataDir, config.callbacks.key?.reveal() ?? null);
  const authenticator = createAuthenticator({ tokens: async () => (await open()).store.tokens, clock });
  const parts: Parts = {
    options,
    config,
    clock,
    log,
    source,
    urlPolicy,
    logs,
    secretKeys,
    authenticator,
    accounts: [account ?? [], accounts].flat(),
    stack,
  };
  const open = () => (opened ??= openParts(parts, executors));
  const executors = openExecutors({
    config,
    mode: options.mode,
    host: options.host,
    environment,
    launchEnvironment: stepAllowList(options.environment, options.home),
    account,
    accounts,
    homes,
    database: open,
    source,
    logs,
    secretKeys,
    tokens: executionTokens,
    clock,
    log,
  });
  const { executor } = executors;
  let closed: Promise<void> | undefined;
  const close = () =>
    (closed ??= (async () => {
      // What is being opened must be there to be closed.
      await opened?.catch(() => undefined);
      await stack.disposeAsync();
    })());
  const deps: OperationsDeps = {
    database: open,
    mode: options.mode,
    source,
    logs,
    executor,
    capabilitiesOf: executors.capabilitiesOf,
    inators,
    authenticator,
    refusal: () => executor.refusal(),
    graceSeconds: config.local.graceSeconds,
    urlPolicy,
    localPaths: isLoopback(config.listenAddress.host) ? "allowed" : "refused",
    dataDirectory: config.dataDir,
    isAlive: (instance) => isAlive(instance, options.mode),
    secretKeys,
    executionTokens,
    logCapBytes: config.local.logCapBytes,
    artifactMaxBytes: config.artifactMaxBytes,
    retentionDays: config.retention.days,
    clock,
    log,
  };
  // As at the end: what is being closed is closed before its lanes are let go of.
  const letGo = async () => {
    await (await open()).orchestrator.stop();
    await executor[Symbol.asyncDispose]();
  };
  return { config, log, clock, deps, executors, open, letGo, close };
}

export function settingsOf(options: AppOptions): Promise<ServerConfig> {
  return readSettings({ ...options, uid: options.host.uid });
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

async function openParts(parts: Parts, { executor, slots }: Executors): Promise<OpenDatabase> {
  const { options, config, clock, log, stack } = parts;
  const {
    settings,
    explain,
    owner: databaseOwner,
  } = await connect({
    host: options.host,
    config,
    clock,
    log,
    stack,
  });
  for (const account of parts.accounts) refuseDatabaseOwner(account, databaseOwner);
  const database = stack.use(
    openDatabase(settings, { max: connections[options.mode], applicationName: "shipinator", log }),
  );
  await migrate(database, { log }).catch((error: unknown) => {
    throw explain(error);
  });
  const store = createStore(database);
  const changes = stack.use(createChangeFeed({ settings, clock, log }));
  if (options.mode === "serve") parts.authenticator.follow(changes);
  const { pid } = options.host;
  const membership = stack.use(
    await registerInstance({
      instances: store.instances,
      identity: { ...thisMachine(), host: hostname(), pid, pidStartTime: startTimeOf(pid) ?? "unknown" },
      dataDirectory: config.dataDir,
      clock,
      log,
    }),
  );
  const { owner } = membership;
  const artifacts = createArtifactStore({
    base: config.artifactPath,
    nodeId: owner.instance,
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
      registry: openRegistry({ store, ...parts, ...options }),
      inators,
      resolver: createResolver({
        source: parts.source,
        urlPolicy: parts.urlPolicy,
        inators,
        graceSeconds: config.local.graceSeconds,
      }),
      owner,
      slots,
      parallelLimit: config.parallelLimit,
      clock,
      log,
    }),
  );
  if (options.mode !== "read") {
    changes.subscribe({ run: orchestrator.notify });
    // A server starts it when it owns what was left running.
    if (options.mode === "run") orchestrator.start();
    const tidying = cleanUp({
      store,
      artifacts,
      sweepWorkspaces: async (isOver) => (await executor.sweep?.(isOver)) ?? [],
      isAlive: (instance) => isAlive(instance, options.mode),
      log,
    });
    stack.defer(() => tidying);
  }
  const announceRestart = () => membership.announceRestart();
  return { store, orchestrator, changes, artifacts, owner, connection: settings, announceRestart };
}
