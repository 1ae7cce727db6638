/** The registry entry of the remote executor, with its configured launcher. */
import { join } from "node:path";
import { executorSections } from "../config/index.ts";
import { noSpaceReason } from "../executor/index.ts";
import { createCommandLauncher, createRemoteExecutor, type Launcher } from "../executor/remote/index.ts";
import { type ExecutionId, Problem } from "../kernel/index.ts";
import type { ExecutorEntry, ExecutorParts } from "./executor-entry.ts";

/** Time limit in milliseconds of the program that starts agents. */
const launchMs = 60_000;

export const remoteExecutor: ExecutorEntry<"remote"> = {
  type: "remote",
  configSchema: executorSections.remote,
  capabilities: { containers: true, survivesServer: true, needsServer: true, reportsLogs: true },
  warnings: () => [
    "Steps run on remote executors. The program that starts them runs under the server's account and receives the token of each attempt.",
  ],
  open: (parts) =>
    createRemoteExecutor({
      reports: async () => (await parts.database()).store.reports,
      launcher: launcherOf(parts),
      logSize: (id) => parts.logs.size(id),
      watch: (signal, listener) => {
        // Only servers receive callbacks.
        if (parts.mode === "serve") void watchReports(parts, signal, listener);
      },
      unavailableReason: () =>
        noSpaceReason(join(parts.config.dataDir, "work"), parts.config.local.minFreeBytes),
      reachableSince: parts.reachableSince,
      silenceMs: parts.config.remote.silenceSeconds * 1_000,
      pendingMs: parts.config.remote.pendingSeconds * 1_000,
      clock: parts.clock,
      log: parts.log,
    }),
};

async function watchReports(
  { database }: ExecutorParts,
  signal: AbortSignal,
  listener: (id: ExecutionId) => void,
): Promise<void> {
  const opened = await database().catch(() => null);
  if (opened === null || signal.aborted) return;
  signal.addEventListener("abort", opened.changes.subscribe({ execution: listener }), { once: true });
}

function launcherOf({ config, launchEnvironment, tokens, listeningAt }: ExecutorParts): Launcher {
  const { launch: command, url } = config.remote;
  if (command === null) return absent;
  return createCommandLauncher({
    command,
    environment: launchEnvironment,
    url: () => url ?? listeningAt(),
    tokenOf: (name) => tokens.of(name),
    limitMs: launchMs,
  });
}

/** Replaces a missing launcher. Jobs that were started earlier continue. */
const absent: Launcher = {
  openJob: async () => undefined,
  async submit() {
    throw new Problem("executor_failed", "No program that starts executors is configured.", {
      remedy: "Set one with remote.launch.",
    });
  },
  cancel: async () => undefined,
  closeJob: async () => undefined,
};
