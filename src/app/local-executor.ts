/** The local executor with the parts that it is given: it may not import its siblings. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ArtifactStore } from "../artifacts/index.ts";
import type { ServerConfig } from "../config/index.ts";
import { createLocalExecutor, type LocalExecutor } from "../executor/local/index.ts";
import type { Clock, Logger } from "../kernel/index.ts";
import type { LogStore } from "../logs/index.ts";
import { type OpenDatabase, openSecrets, type SecretKeys, type StepAccount } from "../services/index.ts";
import type { Source } from "../source/index.ts";

export interface LocalExecutorParts {
  readonly config: ServerConfig;
  readonly host: {
    readonly platform: string;
    readonly kill: (pid: number, signal: NodeJS.Signals) => unknown;
    /** Path of the Node that runs this. */
    readonly node: string;
  };
  /** All that steps get of any environment beside their plan's. */
  readonly environment: Readonly<Record<string, string>>;
  readonly account: StepAccount | null;
  /** A pool in its place, or none. */
  readonly accounts: readonly StepAccount[];
  readonly homes: "project" | "shared";
  readonly database: () => Promise<Pick<OpenDatabase, "store"> & { readonly artifacts: ArtifactStore }>;
  readonly source: Source;
  readonly logs: LogStore;
  readonly secretKeys: SecretKeys;
  readonly clock: Clock;
  readonly log: Logger;
}

export function openLocalExecutor(parts: LocalExecutorParts): LocalExecutor {
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
    logGrows: (executionId) => parts.logs.keepTimes(executionId),
    logEnds: (executionId) => parts.logs.endTimes(executionId),
    secrets: async (spec) => openSecrets((await database()).store, parts.secretKeys, spec),
    maskingPump: [host.node, maskingProgram],
  });
}

/** In a checkout as it was written, in a package as JavaScript. */
const maskingProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../mask.ts" : "../mask.js", import.meta.url),
);
