/** What the orchestrator is given and what it offers. It is the only writer of run state. */
import type { ArtifactStore } from "../artifacts/index.ts";
import type { ExecutionSpec, Inator, JobType, SettledExecution, StepPlan } from "../domain/index.ts";
import type { Executor } from "../executor/index.ts";
import type { Clock, ExecutionId, Logger, NodeId, RunId } from "../kernel/index.ts";
import type { Store } from "../store/index.ts";
import type { RegistryClient } from "./collect.ts";

export interface OrchestratorDeps {
  readonly store: Store;
  readonly executor: Executor;
  readonly artifacts: Pick<ArtifactStore, "putFiles" | "put">;
  readonly registry: RegistryClient;
  readonly inators: ReadonlyMap<JobType, Inator>;
  /** This process's row in `nodes`; every write of run state carries both. */
  readonly owner: { readonly node: NodeId; readonly epoch: number };
  /** Executions carried at once. */
  readonly slots: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * `carry` and `record` make this process responsible for a run whose row names this node as owner. An advance happens
 * at once, on every report and timer, and by sweep; each is the same function. Nothing here is needed to survive: a
 * process that is killed loses hints, not facts.
 */
export interface Orchestrator extends AsyncDisposable {
  start(): void;
  /** Carries the run to its end. Resolves when the first advance has been made. */
  carry(runId: RunId): Promise<void>;
  /** Writes down what has ended meanwhile and starts nothing. Resolves when that is recorded. */
  record(runId: RunId): Promise<void>;
  /** Looks at the run again: a cancel was requested, a sibling process changed it. */
  advance(runId: RunId): Promise<void>;
  /** Calls back after each change of a run that this process made, with the run's new seq. */
  onChange(listener: (runId: RunId, seq: number) => void): () => void;
  /** Stops advancing; executions go on and are re-attached by whoever carries the run next. Idempotent. */
  stop(): Promise<void>;
}

/** One attempt in this process's care. */
export interface Attempt {
  readonly executionId: ExecutionId;
  readonly runId: RunId;
  readonly jobType: JobType;
  readonly plan: StepPlan;
  readonly handle: import("../executor/index.ts").ExecutionHandle;
  /** Null until its job's workspace is open. */
  spec: ExecutionSpec | null;
  begunAt: Date | null;
  cancelRequested: boolean;
  settling: boolean;
  settled: SettledExecution | null;
  readonly abort: AbortController;
}
