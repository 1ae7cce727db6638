/** One attempt that this process tracks. */
import type { CompletedExecution, Inator } from "../../domain/index.ts";
import type { CancelCause, ExecutionHandle } from "../../executor/index.ts";
import { type ExecutionId, type LogFields, Problem } from "../../kernel/index.ts";
import type { OrchestratorDeps, Subject } from "../types.ts";

export interface Attempt {
  readonly id: ExecutionId;
  readonly subject: Subject;
  readonly handle: ExecutionHandle;
  readonly inator: Inator;
  /**
   * `new`: this process knows that it was never submitted. `found`: an earlier process may have submitted it.
   * `submitted`: the executor has it.
   */
  phase: "new" | "found" | "submitted";
  begunAt: Date | null;
  /** True while the attempt has no slot because its project's resources are in use. */
  isWaiting: boolean;
  /** Cause for which the attempt is to end; the first one stays. */
  stop: CancelCause | null;
  completed: CompletedExecution | null;
  /** Number of processes that have begun to collect the outputs, this one included; null: this one has not begun. */
  collections: number | null;
  /** Ends the timers of the attempt. */
  readonly timers: AbortController;
}

/** @throws Problem internal when its job type has no inator */
export function attemptOf(deps: OrchestratorDeps, subject: Subject, phase: "new" | "found"): Attempt {
  const { job, step, execution } = subject;
  const inator = deps.inators.get(job.type);
  if (inator === undefined) throw new Problem("internal", `No inator is registered for ${job.type} jobs.`);
  return {
    id: execution.id,
    subject,
    handle: {
      executionId: execution.id,
      stepId: step.id,
      attempt: execution.attempt,
      jobId: job.id,
      jobAttempt: job.attempt,
    },
    inator,
    phase,
    begunAt: null,
    isWaiting: false,
    stop: null,
    completed: null,
    collections: null,
    timers: new AbortController(),
  };
}

export function describeAttempt({ id, subject: { runId, job, step } }: Attempt): LogFields {
  return {
    pipeline_run_id: runId,
    job_id: job.id,
    job_step_id: step.id,
    execution_id: id,
    stage_type: job.type,
  };
}
