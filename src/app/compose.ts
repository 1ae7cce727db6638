import { join } from "node:path";
import type { ServerConfig } from "../config/index.ts";
import { type Clock, type Logger, systemClock } from "../kernel/index.ts";
import { createLogStore } from "../logs/index.ts";
import {
  createAuthenticator,
  createExecutionTokens,
  createSecretKeys,
  findStepAccount,
  findStepAccounts,
  makeDataDirectory,
  type OpenDatabase,
  readSettings,
  type ServiceDeps,
  stepAllowList,
} from "../services/index.ts";
import { createSource } from "../source/index.ts";
import type { AppOptions } from "./app-options.ts";
import { type Executors, openExecutors } from "./executors.ts";
import { type InstanceDeps, inators, openInstance } from "./instance.ts";
import { cloneCredentials } from "./logins.ts";
import { isAlive } from "./processes.ts";

export interface Composition {
  readonly config: ServerConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly deps: ServiceDeps;
  readonly executors: Executors;
  /** Opens the database at the first call. */
  open(): Promise<OpenDatabase>;
  /** Detaches from running executions, which continue. No run can be driven afterwards. */
  detach(): Promise<void>;
  /** Stops driving runs. Steps keep running, and the next process re-attaches to them. Idempotent. */
  close(): Promise<void>;
}

/** @throws Problem server_config_invalid, data_dir_unusable */
export function compose(options: AppOptions, config: ServerConfig, log: Logger): Composition {
  const clock = systemClock;
  const stack = new AsyncDisposableStack();
  const account = findStepAccount(config.local.user, options.host.uid);
  const accounts = findStepAccounts(config.local.users, options.host.uid);
  // A local run uses the user's own HOME.
  const homes = options.mode === "serve" ? config.local.home : "shared";
  const environment = stepAllowList(options.environment, options.home, {
    account: account ?? accounts[0] ?? null,
    homes,
  });
  let opened: Promise<OpenDatabase> | undefined;
  const storage = openStorage({ options, config, database: () => open(), clock, log });
  stack.use(storage.source);
  const shared = { ...storage, clock, log };
  const executionTokens = createExecutionTokens(config.dataDir, config.callbacks.key?.reveal() ?? null);
  const authenticator = createAuthenticator({ tokens: async () => (await open()).store.tokens, clock });
  const parts: InstanceDeps = {
    ...shared,
    options,
    config,
    authenticator,
    accounts: [account ?? [], accounts].flat(),
    stack,
  };
  const open = () => (opened ??= openInstance(parts, executors));
  const executors = openExecutors({
    ...shared,
    config,
    mode: options.mode,
    host: options.host,
    environment,
    launchEnvironment: stepAllowList(options.environment, options.home),
    account,
    accounts,
    homes,
    database: open,
    tokens: executionTokens,
  });
  const { executor } = executors;
  let closed: Promise<void> | undefined;
  const close = () =>
    (closed ??= (async () => {
      // Closing waits for an open in progress.
      await opened?.catch(() => undefined);
      await stack.disposeAsync();
    })());
  const deps: ServiceDeps = {
    ...shared,
    database: open,
    mode: options.mode,
    executor,
    capabilitiesOf: executors.capabilitiesOf,
    inators,
    authenticator,
    unavailableReason: () => executor.unavailableReason(),
    graceSeconds: config.local.graceSeconds,
    localPaths: isLoopback(config.listenAddress.host) ? "allowed" : "refused",
    dataDirectory: config.dataDir,
    isAlive: (instance) => isAlive(instance, options.mode),
    executionTokens,
    logCapBytes: config.local.logCapBytes,
    artifactMaxBytes: config.artifactMaxBytes,
    retentionDays: config.retention.days,
  };
  // The orchestrator stops before its executor, as in `close`.
  const detach = async () => {
    await (await open()).orchestrator.stop();
    await executor[Symbol.asyncDispose]();
  };
  return { config, log, clock, deps, executors, open, detach, close };
}

interface StorageDeps {
  readonly options: AppOptions;
  readonly config: ServerConfig;
  readonly database: () => Promise<OpenDatabase>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Creates the data directory, and opens the parts that it contains besides the database. */
function openStorage({ options, config, database, clock, log }: StorageDeps) {
  const { dataDir, artifactPath } = config;
  makeDataDirectory(dataDir, options.host.uid, [
    ...["mirrors", "logs", "work"].map((name) => join(dataDir, name)),
    artifactPath,
  ]);
  const secretKeys = createSecretKeys(dataDir, config.secrets.keys?.map((key) => key.reveal()) ?? null);
  const urlPolicy = { allowLocal: config.git.allowFileUrls, allowHttp: false };
  const source = createSource({
    directory: join(dataDir, "mirrors"),
    environment: stepAllowList(options.environment, options.home),
    config: "person",
    credentials: cloneCredentials({ database, secretKeys, dataDir }),
    urls: urlPolicy,
    clock,
    log,
  });
  const logs = createLogStore({
    base: join(dataDir, "logs"),
    capBytes: config.local.logCapBytes,
    clock,
    log,
  });
  return { secretKeys, urlPolicy, source, logs };
}

export function settingsOf(options: AppOptions): Promise<ServerConfig> {
  return readSettings({ ...options, uid: options.host.uid });
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
