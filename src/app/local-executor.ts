/** The registry entry of the local executor. It passes dependencies that the executor must not import. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { executorSections } from "../config/index.ts";
import { createLocalExecutor, type LocalExecutor } from "../executor/local/index.ts";
import { decryptSecrets } from "../services/index.ts";
import type { ExecutorEntry, ExecutorParts } from "./executor-entry.ts";

export const localExecutor: ExecutorEntry<"local"> = {
  type: "local",
  configSchema: executorSections.local,
  capabilities: { containers: false, survivesServer: true, needsServer: false, reportsLogs: false },
  warnings: warningsOf,
  open: openLocalExecutor,
};

function warningsOf({
  config,
  account,
  accounts,
  host,
}: Pick<ExecutorParts, "config" | "account" | "accounts" | "host">): readonly string[] {
  if (config.local.users.length > 0)
    return [
      `Steps run as ${accounts.map(({ name }) => name).join(", ")}, with one project per account at a time. They cannot access other projects or the server's tokens, database, logs and artifacts.`,
    ];
  if (account !== null)
    return [
      `Steps run as ${account.name}. They cannot access the server's tokens, database, logs and artifacts, but they can access each other's workspaces.`,
    ];
  const as = host.uid === 0 ? "as root" : "under the server's own account";
  return [
    `Steps run ${as} and can read and change everything that the server can, including its tokens and database. Let only trusted people push to its repositories.`,
  ];
}

function openLocalExecutor(parts: ExecutorParts): LocalExecutor {
  const { config, host, account, clock, log, database } = parts;
  return createLocalExecutor({
    directory: join(config.dataDir, "work"),
    ...(account === null ? {} : { account }),
    ...(parts.accounts.length === 0 ? {} : { accounts: parts.accounts }),
    homes: parts.homes,
    environment: parts.environment,
    clock,
    log,
    logCapBytes: config.local.logCapBytes,
    images: config.local.image,
    minFreeBytes: config.local.minFreeBytes,
    kill: host.kill,
    platform: host.platform,
    async checkout(spec, directory, links) {
      const { notes } = await parts.source.checkout(spec, directory, links === null ? {} : { links });
      for (const note of notes) log.info({ note }, "checked out");
    },
    async restore(artifact, { root, kind }) {
      const { artifacts } = await database();
      await artifacts.restore({ artifact, root, kind: kind === "artifacts" ? "directory" : "workspace" });
    },
    logFile: (executionId) => parts.logs.prepare(executionId),
    logGrows: (executionId) => parts.logs.startTimes(executionId),
    logEnds: (executionId) => parts.logs.endTimes(executionId),
    secrets: async (spec) => decryptSecrets((await database()).store, parts.secretKeys, spec),
    maskingWriter: [host.node, maskingProgram],
  });
}

/** TypeScript in a checkout, JavaScript in a package. */
const maskingProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../mask.ts" : "../mask.js", import.meta.url),
);
