/** What the orchestrator is given and what it offers. It is the only writer of run state. */
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
import type { Clock, ExecutionId, Logger, NodeId, RunId } from "../kernel/index.ts";
import type { ResolvedRun, RunRow, Store, TakenRun } from "../store/index.ts";
import type { RegistryClient } from "./collect.ts";

/** Finds out what an accepted run asks for: ref → commit → tree → file → jobs and steps. */
export interface Resolver {
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
  readonly resolver: Resolver;
  /** This process's row in `nodes`; every write of run state carries both. */
  readonly owner: { readonly node: NodeId; readonly epoch: number };
  /** Maximum number of executions that run at the same time, of all runs. */
  readonly slots: number;
  /** Maximum number of executions of one run that run at the same time. */
  readonly parallelLimit: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * `carry` and `record` make this process responsible for a run whose row names this node as owner. An advance happens
 * at once, on every report and timer, and by sweep; each is the same function. Nothing here is needed to survive: a
 * process that is killed loses hints, not facts.
 */
export interface Orchestrator extends AsyncDisposable {
  /**
   * Begins to sweep and to claim. A process that only records does not call it, and a process that takes runs over calls
   * it when it owns them, so that what runs occupies its slot before anything is claimed.
   */
  start(): void;
  /**
   * Makes this process responsible for runs that it has taken over, and occupies a slot for each execution that was
   * claimed, also above the limit. The sweep looks at these runs if nobody asks for it before.
   */
  own(runs: readonly TakenRun[]): void;
  /** Looks at the runs, many at a time, and calls back with how many of them are done. Ends early when the signal aborts. */
  reconcile(runIds: readonly RunId[], signal: AbortSignal, done?: (count: number) => void): Promise<void>;
  /** Looks at all runs of this process, also at those whose take-over or accept was not answered. */
  sweep(): Promise<void>;
  /** Carries the run to its end. Resolves when the first advance has been made; a failed one is made again by sweep. */
  carry(runId: RunId): Promise<void>;
  /**
   * Writes down what has ended meanwhile, ends what is to be canceled, and starts nothing. Resolves when that is
   * recorded; the run is nobody's concern here afterwards, except when it was being carried before.
   */
  record(runId: RunId): Promise<void>;
  /** Looks at the run again: a cancel was requested, a sibling process changed it. */
  advance(runId: RunId): Promise<void>;
  /** True while the attempt, which this process carries, waits for its project to get an account of `local.users`. */
  waitsForAccount(id: ExecutionId): boolean;
  /** Looks at an owned run that has moved to a seq which this process has neither read nor written. */
  notify(runId: RunId, seq: number): void;
  /** Why the run could not be resolved when that was last tried here; null: it was not tried, or did not fail. */
  resolveError(runId: RunId): string | null;
  /** Calls back with what each advance of this process has recorded of a run. Must not throw. */
  onRecorded(listener: (changes: ChangeSet, runId: RunId) => void): () => void;
  /**
   * Stops advancing, when what is under way has been carried through: an advance that was committed is performed, an
   * opening or an ending is waited for. What runs goes on and is re-attached by whoever carries the run next; a job
   * whose workspace is not open yet is left to them. Idempotent.
   */
  stop(): Promise<void>;
}

/** An execution and all that its care needs, as one snapshot showed it. */
export interface Subject {
  readonly runId: RunId;
  readonly job: JobView;
  readonly step: StepView;
  readonly execution: ExecutionView;
}

/** How this process deals with a run; undefined when it leaves it alone. */
export type ModeOf = (runId: RunId) => PlanMode | undefined;
