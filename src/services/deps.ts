/** The dependencies of the services. The database opens on first use, so a refused run needs none. */
import type { ArtifactStore } from "../artifacts/index.ts";
import type { Inator, JobType } from "../domain/index.ts";
import type { Executor, ExecutorCapabilities } from "../executor/index.ts";
import type { Clock, Logger } from "../kernel/index.ts";
import type { LogStore } from "../logs/index.ts";
import type { Orchestrator } from "../orchestrator/index.ts";
import type { Source, UrlPolicy } from "../source/index.ts";
import type { ChangeFeed, ConnectionSettings, InstanceRow, Owner, Store } from "../store/index.ts";
import type { Authenticator } from "./auth/authenticate.ts";
import type { ExecutionTokens } from "./auth/execution-token.ts";
import type { SecretKeys } from "./secrets/keys.ts";

export interface OpenDatabase {
  readonly store: Store;
  readonly orchestrator: Orchestrator;
  readonly changes: ChangeFeed;
  readonly artifacts: ArtifactStore;
  /** The instance of this process. */
  readonly owner: Owner;
  /** Closing announces a planned absence: what runs goes on, and is left to the server that comes after this one. */
  announceRestart(): void;
  /** The address of the database, for benchmarks. */
  readonly connection: ConnectionSettings;
}

export interface ServiceDeps {
  readonly database: () => Promise<OpenDatabase>;
  /** `read` carries nothing, so its own runs are there to be continued. */
  readonly mode: "run" | "read" | "serve";
  readonly source: Source;
  readonly logs: LogStore;
  readonly executor: Pick<Executor, "type" | "unsupported" | "cancel">;
  /** Facts about the executor of a run, whatever is configured now. */
  readonly capabilitiesOf: (executorType: string) => ExecutorCapabilities;
  readonly inators: ReadonlyMap<JobType, Inator>;
  /** Why the executor starts nothing now, or null. */
  readonly unavailableReason: () => Promise<string | null>;
  /** Seconds between SIGTERM and SIGKILL of a step. */
  readonly graceSeconds: number;
  readonly urlPolicy: UrlPolicy;
  /** `allowed` if an admin may register a directory of this machine as a repository. */
  readonly localPaths: "allowed" | "refused";
  /** Absolute; never part of a workspace. */
  readonly dataDirectory: string;
  /** Returns true when the instance's process lives: on this machine by its pid and start time, elsewhere by its lease. */
  readonly isAlive: (instance: InstanceRow) => boolean;
  /** Finds the caller of a token. */
  readonly authenticator: Pick<Authenticator, "authenticate">;
  /** Keys of the values that the database holds encrypted. */
  readonly secretKeys: SecretKeys;
  /** Tokens of remote executions. */
  readonly executionTokens: Pick<ExecutionTokens, "read">;
  /** The maximum size of a step's stored log. */
  readonly logCapBytes: number;
  /** The maximum size of an uploaded output. */
  readonly artifactMaxBytes: number;
  /** Days after which ended runs expire; null: never. */
  readonly retentionDays: number | null;
  readonly clock: Clock;
  readonly log: Logger;
}
