/** The registry of executors, and the choice of the one for new runs. */
import { type ExecutorType, executorTypes } from "../config/index.ts";
import { createExecutorRegistry, type Executor, type ExecutorCapabilities } from "../executor/index.ts";
import type { ExecutorEntry, ExecutorParts } from "./executor-entry.ts";
import { localExecutor } from "./local-executor.ts";
import { remoteExecutor } from "./remote-executor.ts";

/** All executors. Each one also has a section in src/config/server/executors.ts. */
const entries: { readonly [Type in ExecutorType]: ExecutorEntry<Type> } = {
  local: localExecutor,
  remote: remoteExecutor,
};

export type ExecutorsParts = Omit<ExecutorParts, "listeningAt" | "reachableSince">;

export interface Executors {
  /** Runs each run with the executor for which it was accepted. */
  readonly executor: Executor;
  capabilitiesOf(type: string): ExecutorCapabilities;
  /** Maximum number of steps that run at the same time. */
  readonly slots: number;
  readonly warnings: readonly string[];
  /** Sets the address for agents, after the server listens and before it drives runs. */
  listening(url: string): void;
}

export function openExecutors(given: ExecutorsParts): Executors {
  const { config, mode, database, clock, log } = given;
  let url: string | null = null;
  // Only a server receives callbacks, from the moment when it listens.
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

/** Chooses the configured executor, or without a server the first one that needs no server. */
function choose(configured: ExecutorType, mode: ExecutorsParts["mode"]): ExecutorType {
  if (mode === "serve" || !entries[configured].capabilities.needsServer) return configured;
  return executorTypes.find((type) => !entries[type].capabilities.needsServer) ?? configured;
}
