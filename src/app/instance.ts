/** The instance: this process with its database connection and orchestrator. */
import { hostname } from "node:os";
import { createArtifactStore } from "../artifacts/index.ts";
import type { ServerConfig } from "../config/index.ts";
import type { Inator, JobType } from "../domain/index.ts";
import { buildinator, deployinator, testinator } from "../domain/index.ts";
import { type Clock, type Logger, thisMachine } from "../kernel/index.ts";
import type { LogStore } from "../logs/index.ts";
import { createOrchestrator } from "../orchestrator/index.ts";
import {
  type Authenticator,
  cleanUp,
  createResolver,
  type OpenDatabase,
  refuseDatabaseOwner,
  registerInstance,
  type SecretKeys,
  type StepAccount,
} from "../services/index.ts";
import type { Source, UrlPolicy } from "../source/index.ts";
import { createChangeFeed, createStore, migrate, openDatabase } from "../store/index.ts";
import type { AppOptions } from "./app-options.ts";
import { connect } from "./database.ts";
import type { Executors } from "./executors.ts";
import { openRegistry } from "./logins.ts";
import { isAlive, startTimeOf } from "./processes.ts";

const connections = { run: 6, read: 6, serve: 12 } as const;

export const inators: ReadonlyMap<JobType, Inator> = new Map(
  [buildinator, testinator, deployinator].map((inator) => [inator.jobType, inator]),
);

export interface InstanceDeps {
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

/** Opens the database, registers this process as an instance and creates its orchestrator. */
export async function openInstance(
  parts: InstanceDeps,
  { executor, slots }: Executors,
): Promise<OpenDatabase> {
  const { options, config, clock, log, stack } = parts;
  const connected = await connect({ host: options.host, config, clock, log, stack });
  const { settings, explain } = connected;
  for (const account of parts.accounts) refuseDatabaseOwner(account, connected.owner);
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
  const instance = stack.use(
    await registerInstance({
      instances: store.instances,
      identity: { ...thisMachine(), host: hostname(), pid, pidStartTime: startTimeOf(pid) ?? "unknown" },
      dataDirectory: config.dataDir,
      clock,
      log,
    }),
  );
  const { owner } = instance;
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
    // A server starts it after it has taken ownership of abandoned runs.
    if (options.mode === "run") orchestrator.start();
    const cleanup = cleanUp({
      store,
      artifacts,
      sweepWorkspaces: async (isOver) => (await executor.sweep?.(isOver)) ?? [],
      isAlive: (instance) => isAlive(instance, options.mode),
      log,
    });
    stack.defer(() => cleanup);
  }
  const announceRestart = () => instance.announceRestart();
  return { store, orchestrator, changes, artifacts, owner, connection: settings, announceRestart };
}
