/** The executors with the parts that they are given, and which of them carries out what. */
import { createExecutorByType, type Executor } from "../executor/index.ts";
import type { LocalExecutor } from "../executor/local/index.ts";
import { createCommandLauncher, createRemoteExecutor, type Launcher } from "../executor/remote/index.ts";
import { type ExecutionId, Problem } from "../kernel/index.ts";
import type { ExecutionTokens, OpenDatabase } from "../services/index.ts";
import { type LocalExecutorParts, openLocalExecutor } from "./local-executor.ts";

export interface ExecutorsParts extends LocalExecutorParts {
  readonly mode: "run" | "read" | "serve";
  readonly database: () => Promise<OpenDatabase>;
  /** What programs that start executors get of the environment. */
  readonly launchEnvironment: Readonly<Record<string, string>>;
  readonly tokens: ExecutionTokens;
}

export interface Executors {
  /** What runs are carried out by: each by the one that it was accepted for. */
  readonly executor: Executor;
  readonly local: LocalExecutor;
  /** How many steps may run at the same time. */
  readonly slots: number;
  /** Tells where executors elsewhere reach the server, as soon as it listens and before it carries any run. */
  listening(url: string): void;
}

/** Milliseconds that the program which starts executors may take. */
const launchMs = 60_000;

/** Without a server nobody could report: a person's `run` is carried out here. */
export function openExecutors(parts: ExecutorsParts): Executors {
  const { config, mode, database, clock, log } = parts;
  let url: string | null = null;
  // Callbacks come to a server, and to no other process: its presence begins when it listens.
  let reachableSince = mode === "serve" ? null : clock.monotonic();
  const local = openLocalExecutor(parts);
  const remote = createRemoteExecutor({
    reports: async () => (await database()).store.reports,
    launcher: launcherOf(parts, () => config.remote.url ?? url),
    logSize: (id) => parts.logs.size(id),
    // Callbacks come to servers alone.
    watch: (signal, listener) => {
      if (mode === "serve") void watchReports(database, signal, listener);
    },
    refusal: () => local.refusal(),
    reachableSince: () => reachableSince,
    silenceMs: config.remote.silenceSeconds * 1_000,
    pendingMs: config.remote.pendingSeconds * 1_000,
    clock,
    log,
  });
  const isRemote = mode === "serve" && config.executor === "remote";
  const executor = createExecutorByType({
    chosen: isRemote ? remote : local,
    others: [isRemote ? local : remote],
    typeOf: async (job) => (await (await database()).store.jobs.spec(job))?.executorType ?? null,
    log,
  });
  return {
    executor,
    local,
    slots: isRemote ? config.remote.slots : config.local.slots,
    listening(at) {
      url = at;
      reachableSince = clock.monotonic();
    },
  };
}

async function watchReports(
  database: () => Promise<OpenDatabase>,
  signal: AbortSignal,
  listener: (id: ExecutionId) => void,
): Promise<void> {
  const opened = await database().catch(() => null);
  if (opened === null || signal.aborted) return;
  signal.addEventListener("abort", opened.changes.subscribe({ execution: listener }), { once: true });
}

function launcherOf(
  { config, launchEnvironment, tokens }: ExecutorsParts,
  url: () => string | null,
): Launcher {
  const { launch: command } = config.remote;
  if (command === null) return absent;
  return createCommandLauncher({
    command,
    environment: launchEnvironment,
    url,
    tokenOf: (name) => tokens.of(name),
    limitMs: launchMs,
  });
}

/** What was started before goes on, and what was kept for it is left to whoever kept it. */
const absent: Launcher = {
  async launch() {
    throw new Problem("executor_failed", "there is no program that starts executors", {
      remedy: "Name one in remote.launch.",
    });
  },
  release: async () => undefined,
};
