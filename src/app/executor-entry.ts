/** The form of an entry in the registry of executors, and the parts that each may use. */
import type { ExecutorSection, ExecutorType, ServerConfig } from "../config/index.ts";
import type { Executor, ExecutorCapabilities } from "../executor/index.ts";
import type { Clock, Logger } from "../kernel/index.ts";
import type { LogStore } from "../logs/index.ts";
import type { ExecutionTokens, OpenDatabase, SecretKeys, StepAccount } from "../services/index.ts";
import type { Source } from "../source/index.ts";

export interface ExecutorParts {
  readonly mode: "run" | "read" | "serve";
  readonly config: ServerConfig;
  readonly host: {
    readonly platform: string;
    readonly uid: number;
    readonly kill: (pid: number, signal: NodeJS.Signals) => unknown;
    /** Path of the Node that runs this. */
    readonly node: string;
  };
  /** All that steps get of any environment beside their plan's. */
  readonly environment: Readonly<Record<string, string>>;
  /** All that programs that start agents get of the environment. */
  readonly launchEnvironment: Readonly<Record<string, string>>;
  readonly account: StepAccount | null;
  /** A pool in its place, or none. */
  readonly accounts: readonly StepAccount[];
  readonly homes: "project" | "shared";
  readonly database: () => Promise<OpenDatabase>;
  readonly source: Source;
  readonly logs: LogStore;
  readonly secretKeys: SecretKeys;
  readonly tokens: ExecutionTokens;
  /** Address of the server that listens; null: none does. */
  readonly listeningAt: () => string | null;
  /** Monotonic time since which agents can reach this process; null: they cannot yet. */
  readonly reachableSince: () => number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ExecutorEntry<Type extends ExecutorType> {
  readonly type: Type;
  readonly configSchema: ExecutorSection<ServerConfig[Type]>;
  readonly capabilities: ExecutorCapabilities;
  /** Sentences on what steps can reach, for the person who starts the server. */
  warnings(parts: Pick<ExecutorParts, "config" | "account" | "accounts" | "host">): readonly string[];
  /** @throws Problem environment, data_dir_unusable: it cannot work here */
  open(parts: ExecutorParts): Executor;
}
