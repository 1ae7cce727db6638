/** A mutable copy of a run snapshot that collects the changes made to it. Used by the planner only. */
import type { ExecutionId, JobId } from "../../kernel/index.ts";
import type { Outcome } from "../model/execution-spec.ts";
import type { FailureReason } from "../model/reasons.ts";
import {
  type ExecutionState,
  type RunPhase,
  type RunState,
  runPhases,
  type StageState,
} from "../model/states.ts";
import type {
  ChangeSet,
  CompletedExecution,
  ExecutionChange,
  ExecutionView,
  Intent,
  JobChange,
  JobView,
  NewArtifact,
  NewExecution,
  NewJobAttempt,
  PlanIds,
  RunChange,
  RunSnapshot,
  StepView,
} from "./run-snapshot.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Draft {
  readonly run: Mutable<RunSnapshot["run"]>;
  readonly jobs: readonly Mutable<JobView>[];
  readonly steps: readonly Mutable<StepView>[];
  readonly executions: readonly Mutable<ExecutionView>[];
  readonly intents: Intent[] = [];

  readonly #runPath: { status: RunChange["status"]; phase: RunChange["phase"] } = {
    status: null,
    phase: null,
  };
  #reason: FailureReason | null = null;
  #message: string | null = null;
  readonly #jobs = new Map<JobId, Mutable<JobChange>>();
  readonly #steps: Mutable<ChangeSet["steps"][number]>[] = [];
  readonly #pendingSteps: ChangeSet["pendingSteps"][number][] = [];
  readonly #executions = new Map<ExecutionId, Mutable<ExecutionChange>>();
  readonly #newExecutions: NewExecution[] = [];
  readonly #newJobs: NewJobAttempt[] = [];
  readonly #artifacts: NewArtifact[] = [];

  readonly #ids: PlanIds;

  constructor(snapshot: RunSnapshot, ids: PlanIds) {
    this.#ids = ids;
    this.run = { ...snapshot.run };
    this.jobs = snapshot.jobs.map((job) => ({ ...job }));
    this.steps = snapshot.steps.map((step) => ({ ...step }));
    this.executions = snapshot.executions.map((execution) => ({ ...execution }));
  }

  moveRun(to: RunState, reason: FailureReason | null, message: string | null): void {
    this.#runPath.status = { from: this.run.status, to };
    this.run.status = to;
    this.#reason = reason;
    this.#message = message;
  }

  moveRunPhase(to: RunPhase): void {
    if (runPhases.indexOf(to) <= runPhases.indexOf(this.run.phase)) return;
    this.#runPath.phase = { from: this.#runPath.phase?.from ?? this.run.phase, to };
    this.run.phase = to;
  }

  moveJob(job: Mutable<JobView>, to: StageState, reason: FailureReason | null, message: string | null): void {
    const change = this.#jobs.get(job.id);
    const path = [...(change?.path ?? [job.status]), to];
    this.#jobs.set(job.id, { id: job.id, path, reason, message });
    job.status = to;
  }

  moveStep(step: Mutable<StepView>, to: StageState): void {
    this.#steps.push({ id: step.id, from: step.status, to });
    step.status = to;
  }

  movePendingSteps(jobId: JobId, to: "skipped" | "canceled"): void {
    this.#pendingSteps.push({ jobId, to });
    for (const step of this.steps) if (step.status === "pending") step.status = to;
  }

  beginExecution(execution: Mutable<ExecutionView>, begunAt: Date | null): void {
    this.#extend(execution, "running", null, null, begunAt, null);
  }

  endExecution(execution: Mutable<ExecutionView>, to: ExecutionState, completed: CompletedExecution): void {
    const { outcome, result } = completed;
    const reason = result.state === "succeeded" ? null : result.reason;
    const message = result.state === "succeeded" ? null : result.message;
    this.#extend(execution, to, reason, message, outcome.begunAt, outcome);
    for (const output of completed.artifacts)
      this.#artifacts.push({ id: output.artifactId, executionId: execution.id, output });
  }

  addExecution(step: Mutable<StepView>): void {
    step.attempts += 1;
    this.#newExecutions.push({ id: this.#ids.execution(), stepId: step.id, attempt: step.attempts });
  }

  addJobAttempt(job: JobView): void {
    this.#newJobs.push({ id: this.#ids.job(), previous: job.id, attempt: job.attempt + 1 });
  }

  /** The collected changes, or null when there are none. */
  changes(): ChangeSet | null {
    const { status, phase } = this.#runPath;
    const run: RunChange | null =
      status === null && phase === null
        ? null
        : { status, phase, reason: this.#reason, message: this.#message };
    const set: ChangeSet = {
      run,
      jobs: [...this.#jobs.values()],
      steps: this.#steps,
      pendingSteps: this.#pendingSteps,
      executions: [...this.#executions.values()],
      newExecutions: this.#newExecutions,
      newJobs: this.#newJobs,
      artifacts: this.#artifacts,
    };
    const lists = [set.jobs, set.steps, set.pendingSteps, set.executions, set.newExecutions, set.newJobs];
    return run === null && lists.every((list) => list.length === 0) ? null : set;
  }

  #extend(
    execution: Mutable<ExecutionView>,
    to: ExecutionState,
    reason: FailureReason | null,
    message: string | null,
    begunAt: Date | null,
    outcome: Outcome | null,
  ): void {
    const change = this.#executions.get(execution.id);
    this.#executions.set(execution.id, {
      id: execution.id,
      path: [...(change?.path ?? [execution.status]), to],
      reason,
      message,
      begunAt: begunAt ?? change?.begunAt ?? null,
      outcome,
    });
    execution.status = to;
  }
}
