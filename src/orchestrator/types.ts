/** The orchestrator's dependencies and API. It is the only writer of run state. */
import type { ArtifactStore } from "../artifacts/index.ts";
import type {
  ChangeSet,
  ExecutionView,
  Inator,
  JobType,
  JobView,
  PlanMode,
  StepView,
} from "../domain/index.ts";
import type { Executor } from "../executor/index.ts";
import type { Clock, ExecutionId, Logger, RunId } from "../kernel/index.ts";
import type { OwnedRun, Owner, ResolvedRun, RunRow, Store } from "../store/index.ts";
import type { RegistryClient } from "./executions/collect-outputs.ts";

/** Resolves the source of an accepted run: ref → commit → tree → file → jobs and steps. */
export interface SourceResolver {
  /**
   * @throws Problem source_unavailable (waiting may help), ref_not_found, source_refused, config_invalid; the signal's
   *   reason on abort
   */
  resolve(run: RunRow, signal: AbortSignal): Promise<ResolvedRun>;
}

export interface OrchestratorDeps {
  readonly store: Store;
  readonly executor: Executor;
  readonly artifacts: Pick<ArtifactStore, "putFiles" | "put">;
  readonly registry: RegistryClient;
  readonly inators: ReadonlyMap<JobType, Inator>;
  readonly resolver: SourceResolver;
  /** The instance row of this process; every write of run state carries both. */
  readonly owner: Owner;
  /** Maximum number of executions that run at the same time, of all runs. */
  readonly slots: number;
  /** Maximum number of executions of one run that run at the same time. */
  readonly parallelLimit: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Reconciles runs. `own` and `observe` make this process responsible for a run whose row names this process as owner. A
 * run is reconciled when it is enqueued, on every report and timer, and by resync; each does the same. Nothing here has
 * to survive: a process that is killed loses notifications, not facts.
 */
export interface Orchestrator extends AsyncDisposable {
  /**
   * Begins to resync and to claim. A process that only observes does not call it. A process that takes ownership of runs
   * calls it afterwards, so that running executions occupy their slots before anything is claimed.
   */
  start(): void;
  /** Tracks runs that this process owns, and occupies a slot for each claimed execution, even above the limit. */
  own(runs: readonly (Pick<OwnedRun, "id"> & Partial<OwnedRun>)[]): void;
  /**
   * Reconciles a tracked run; any other id is ignored. Resolves when a reconcile that began after this call has ended.
   * Never rejects: a failed reconcile is logged and retried.
   */
  enqueue(runId: RunId): Promise<void>;
  /** Reconciles a tracked run that has moved to a seq which this process has neither read nor written. */
  notify(runId: RunId, seq: number): void;
  /** Reconciles all runs that this process owns and that may need it, also those whose ownership was not confirmed. */
  resync(): Promise<void>;
  /**
   * Records what has ended meanwhile, ends what is to be canceled, and starts nothing. Resolves when that is recorded.
   * The run is not tracked afterwards, unless this process owned it before.
   */
  observe(runId: RunId): Promise<void>;
  /** True while a tracked attempt waits for its project to get an account of `local.users`. */
  waitsForAccount(id: ExecutionId): boolean;
  /** Message of the last failed try to resolve the run; null: none was made or none failed. */
  resolveError(runId: RunId): string | null;
  /** Calls back with the changes that each reconcile of this process has recorded. Must not throw. */
  onRecorded(listener: (changes: ChangeSet, runId: RunId) => void): () => void;
  /**
   * Stops reconciling. What is in progress is completed: committed changes are performed, an opening or an ending is
   * waited for. Running executions go on and are re-attached by the run's next owner, who also opens the workspaces that
   * are not open yet. Idempotent.
   */
  stop(): Promise<void>;
}

/** An execution with its step and job, as one run snapshot shows it. */
export interface Subject {
  readonly runId: RunId;
  readonly job: JobView;
  readonly step: StepView;
  readonly execution: ExecutionView;
}

/** The mode in which this process tracks a run; undefined: it does not. */
export type ModeOf = (runId: RunId) => PlanMode | undefined;
