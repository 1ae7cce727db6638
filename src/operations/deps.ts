/** What operations are composed of, and how the database is reached: opened on first use, so that a refused run needs none. */
import type { ArtifactStore } from "../artifacts/index.ts";
import type { Inator, JobType } from "../domain/index.ts";
import type { Executor } from "../executor/index.ts";
import type { Clock, Logger } from "../kernel/index.ts";
import type { LogStore } from "../logs/index.ts";
import type { Orchestrator } from "../orchestrator/index.ts";
import type { Source, UrlPolicy } from "../source/index.ts";
import type { ConnectionSettings, NodeRow, Owner, Store } from "../store/index.ts";

export interface OpenDatabase {
  readonly store: Store;
  readonly orchestrator: Orchestrator;
  readonly artifacts: ArtifactStore;
  /** This process's row in `nodes`. */
  readonly owner: Owner;
  /** Where the database is: for what measures beside us. */
  readonly connection: ConnectionSettings;
}

export interface OperationsDeps {
  readonly database: () => Promise<OpenDatabase>;
  /** `read` carries nothing, so its own runs are there to be continued. */
  readonly mode: "run" | "read";
  readonly source: Source;
  readonly logs: LogStore;
  readonly executor: Pick<Executor, "type" | "ignores" | "cancel">;
  readonly inators: ReadonlyMap<JobType, Inator>;
  /** Seconds between SIGTERM and SIGKILL of a step. */
  readonly graceSeconds: number;
  readonly urlPolicy: UrlPolicy;
  /** Absolute; never part of a workspace. */
  readonly dataDirectory: string;
  /** Whether the node's process lives: on this machine by its pid and start time, elsewhere by its lease. */
  readonly isAlive: (node: NodeRow) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}
