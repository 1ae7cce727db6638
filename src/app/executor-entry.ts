/** The type of a registry entry, and the dependencies of executors. */
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
  /** Environment of steps, in addition to that of their plan. */
  readonly environment: Readonly<Record<string, string>>;
  /** Environment of programs that start agents. */
  readonly launchEnvironment: Readonly<Record<string, string>>;
  readonly account: StepAccount | null;
  /** Pool of accounts in place of `account`, or empty. */
  readonly accounts: readonly StepAccount[];
  readonly homes: "project" | "shared";
  readonly database: () => Promise<OpenDatabase>;
  readonly source: Source;
  readonly logs: LogStore;
  readonly secretKeys: SecretKeys;
  readonly tokens: ExecutionTokens;
  /** Address of the listening server, or null. */
  readonly listeningAt: () => string | null;
  /** Monotonic time since which agents can reach this process, or null. */
  readonly reachableSince: () => number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ExecutorEntry<Type extends ExecutorType> {
  readonly type: Type;
  readonly configSchema: ExecutorSection<ServerConfig[Type]>;
  readonly capabilities: ExecutorCapabilities;
  /** Warnings about the access of steps, for the person who starts the server. */
  warnings(parts: Pick<ExecutorParts, "config" | "account" | "accounts" | "host">): readonly string[];
  /** @throws Problem environment or data_dir_unusable when the executor cannot work on this machine */
  open(parts: ExecutorParts): Executor;
}
