/**
 * The planner's view of a run: the newest attempt of each job, and of the active job the running steps, the next pending
 * group and the first failure. So a reconcile costs the same in a run of 10 steps and of 10,000. The active job is the first non-final one in the order build, test, deploy.
 */
import type {
  ArtifactId,
  DeploymentId,
  ExecutionId,
  InstanceId,
  JobId,
  RunId,
  StepId,
} from "../../kernel/index.ts";
import type { CollectedOutput, Outcome, StepPlan } from "../model/execution-spec.ts";
import type { JobType } from "../model/pipeline-config.ts";
import type { FailureReason } from "../model/reasons.ts";
import type { ExecutionState, RunPhase, RunState, StageState } from "../model/states.ts";
import type { Result } from "../stages/stage.ts";

export interface RunView {
  readonly id: RunId;
  /** Count of recorded transitions; every change of the run moves it, so it is what a writer compares and sets. */
  readonly seq: number;
  readonly status: RunState;
  readonly phase: RunPhase;
  readonly cancelRequested: boolean;
  /** Its commit, file, jobs and steps are known. False only between the accept of a server and its resolution. */
  readonly resolved: boolean;
}

export interface JobView {
  readonly id: JobId;
  readonly type: JobType;
  readonly status: StageState;
  readonly attempt: number;
}

export interface StepView {
  readonly id: StepId;
  readonly name: string;
  readonly order: number;
  readonly parallelGroup: string | null;
  readonly status: StageState;
  /** Executions so far. */
  readonly attempts: number;
  readonly plan: StepPlan;
}

export interface ExecutionView {
  readonly id: ExecutionId;
  readonly stepId: StepId;
  readonly attempt: number;
  readonly status: ExecutionState;
  /** The instance that claimed the execution; null while it waits for a slot. */
  readonly instance: InstanceId | null;
}

export interface FailureView {
  readonly stepName: string;
  readonly parallelGroup: string | null;
  readonly reason: FailureReason;
  readonly message: string | null;
  readonly retry: StepPlan["retry"];
}

export interface RunSnapshot {
  readonly run: RunView;
  /** Newest attempt of each job, in the order build, test, deploy; stages that do not run have no job. */
  readonly jobs: readonly JobView[];
  /** Running steps and the next pending group of the active job, by order. */
  readonly steps: readonly StepView[];
  /** Live executions of those steps. */
  readonly executions: readonly ExecutionView[];
  /** The step of the active job that failed first, by its end. */
  readonly failure: FailureView | null;
  /** True when a step of the active job was canceled. */
  readonly anyCanceled: boolean;
  /** Another run's deployment holds the release that the active deploy job wants. */
  readonly deployBlock: {
    readonly deploymentId: DeploymentId;
    readonly outcome: "active" | "unknown";
  } | null;
}

/** An attempt's end, evaluated by its inator, ready to be recorded. */
export interface CompletedExecution {
  readonly executionId: ExecutionId;
  readonly result: Result;
  readonly outcome: Outcome;
  readonly artifacts: readonly Extract<CollectedOutput, { found: true }>[];
}

/** Facts beside the snapshot. */
export interface Evidence {
  /** Reason why the source cannot be resolved; absent: none is known. */
  readonly unresolvable?: { readonly reason: FailureReason; readonly message: string };
  readonly completed: readonly CompletedExecution[];
  /** Executions known to have begun whose row still says pending. */
  readonly begun: readonly { readonly executionId: ExecutionId; readonly begunAt: Date }[];
}

/** The changes of one reconcile, applied in one transaction or not at all. `from` is compared, `to` is set. */
export interface ChangeSet {
  readonly run: RunChange | null;
  readonly jobs: readonly JobChange[];
  readonly steps: readonly { readonly id: StepId; readonly from: StageState; readonly to: StageState }[];
  /** Moves every pending step of the job. */
  readonly pendingSteps: readonly { readonly jobId: JobId; readonly to: "skipped" | "canceled" }[];
  readonly executions: readonly ExecutionChange[];
  readonly newExecutions: readonly NewExecution[];
  readonly newJobs: readonly NewJobAttempt[];
  readonly artifacts: readonly NewArtifact[];
}

export interface RunChange {
  /** Null: unchanged. */
  readonly status: { readonly from: RunState; readonly to: RunState } | null;
  readonly phase: { readonly from: RunPhase; readonly to: RunPhase } | null;
  readonly reason: FailureReason | null;
  readonly message: string | null;
}

export interface JobChange {
  readonly id: JobId;
  /** The states gone through in order, first the present one: [pending, running] or [pending, running, failed]. */
  readonly path: readonly StageState[];
  readonly reason: FailureReason | null;
  readonly message: string | null;
}

export interface ExecutionChange {
  readonly id: ExecutionId;
  /** [pending, running, succeeded] when begin and end are recorded together. */
  readonly path: readonly ExecutionState[];
  readonly reason: FailureReason | null;
  readonly message: string | null;
  readonly begunAt: Date | null;
  /** Null while it only begins. */
  readonly outcome: Outcome | null;
}

export interface NewExecution {
  readonly id: ExecutionId;
  readonly stepId: StepId;
  readonly attempt: number;
}

/** A further attempt of a job: the same steps, all pending, under new ids. */
export interface NewJobAttempt {
  readonly id: JobId;
  readonly previous: JobId;
  readonly attempt: number;
}

export interface NewArtifact {
  readonly id: ArtifactId;
  readonly executionId: ExecutionId;
  readonly output: Extract<CollectedOutput, { found: true }>;
}

/** Work to do after the transaction. Each intent is idempotent and found again by the next reconcile. */
export type Intent =
  | { readonly kind: "resolve"; readonly runId: RunId }
  | { readonly kind: "cancel"; readonly executionId: ExecutionId }
  | { readonly kind: "close"; readonly jobId: JobId }
  | { readonly kind: "finished"; readonly runId: RunId };

/** Supplies the ids of what a plan makes, so that the planner itself stays pure. */
export interface PlanIds {
  readonly execution: () => ExecutionId;
  readonly job: () => JobId;
}

/** `own` reconciles the run to its end; `observe` only records what has ended and starts nothing. */
export type PlanMode = "own" | "observe";

export interface PlanOptions {
  readonly mode: PlanMode;
  /** Maximum number of the run's steps that run at the same time. */
  readonly parallelLimit: number;
  readonly ids: PlanIds;
}

export interface Plan {
  readonly changes: ChangeSet | null;
  readonly intents: readonly Intent[];
}
