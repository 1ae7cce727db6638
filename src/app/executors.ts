/** The registry of executors, and the choice of the one that carries out new runs. */
import { type ExecutorType, executorTypes } from "../config/index.ts";
import { createExecutorRegistry, type Executor, type ExecutorCapabilities } from "../executor/index.ts";
import type { ExecutorEntry, ExecutorParts } from "./executor-entry.ts";
import { localExecutor } from "./local-executor.ts";
import { remoteExecutor } from "./remote-executor.ts";

/** An executor is added here, with its section in src/config/server/executors.ts. */
const entries: { readonly [Type in ExecutorType]: ExecutorEntry<Type> } = {
  local: localExecutor,
  remote: remoteExecutor,
};

export type ExecutorsParts = Omit<ExecutorParts, "listeningAt" | "reachableSince">;

export interface Executors {
  /** Carries out each run by the executor that it was accepted for. */
  readonly executor: Executor;
  capabilitiesOf(type: string): ExecutorCapabilities;
  /** How many steps may run at the same time. */
  readonly slots: number;
  readonly warnings: readonly string[];
  /** Tells where agents reach the server, as soon as it listens and before it carries any run. */
  listening(url: string): void;
}

export function openExecutors(given: ExecutorsParts): Executors {
  const { config, mode, database, clock, log } = given;
  let url: string | null = null;
  // Callbacks come to a server, and to no other process: its presence begins when it listens.
  let reachableSince = mode === "serve" ? null : clock.monotonic();
  const parts = { ...given, listeningAt: () => url, reachableSince: () => reachableSince };
  const chosen = choose(config.executor, mode);
  const openers = Object.fromEntries(executorTypes.map((type) => [type, () => entries[type].open(parts)]));
  return {
    executor: createExecutorRegistry({
      chosen,
      openers,
      typeOf: async (job) => (await (await database()).store.jobs.spec(job))?.executorType ?? null,
      log,
    }),
    capabilitiesOf: (type) => entries[executorTypes.find((known) => known === type) ?? chosen].capabilities,
    slots: config[chosen].slots,
    warnings: entries[chosen].warnings(parts),
    listening(at) {
      url = at;
      reachableSince = clock.monotonic();
    },
  };
}

/** A command that runs a pipeline by itself takes the first executor that needs no server. */
function choose(configured: ExecutorType, mode: ExecutorsParts["mode"]): ExecutorType {
  if (mode === "serve" || !entries[configured].capabilities.needsServer) return configured;
  return executorTypes.find((type) => !entries[type].capabilities.needsServer) ?? configured;
}
