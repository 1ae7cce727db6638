/** The registry's entry of the local executor, with the parts that it is given: it may not import its siblings. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { executorSections } from "../config/index.ts";
import { createLocalExecutor, type LocalExecutor } from "../executor/local/index.ts";
import { openSecrets } from "../services/index.ts";
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
      `steps run as ${accounts.map(({ name }) => name).join(", ")}, each of which is one project's at a time: other projects and the server's tokens, database, logs and artifacts are out of their reach`,
    ];
  if (account !== null)
    return [
      `steps run as ${account.name}: the server's tokens, database, logs and artifacts are out of their reach, and each other's workspaces are not`,
    ];
  const as = host.uid === 0 ? "as root" : "under the server's own account";
  return [
    `steps run ${as} and can read and change all that the server can, its tokens and database included: let only trusted people push to what it builds`,
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
    secrets: async (spec) => openSecrets((await database()).store, parts.secretKeys, spec),
    maskingPump: [host.node, maskingProgram],
  });
}

/** In a checkout as it was written, in a package as JavaScript. */
const maskingProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../mask.ts" : "../mask.js", import.meta.url),
);
