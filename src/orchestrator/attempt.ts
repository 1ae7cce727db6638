/** One attempt in this process's care. */
import type { Inator, SettledExecution } from "../domain/index.ts";
import type { CancelCause, ExecutionHandle } from "../executor/index.ts";
import { type ExecutionId, type LogFields, Problem } from "../kernel/index.ts";
import type { OrchestratorDeps, Subject } from "./types.ts";

export interface Attempt {
  readonly id: ExecutionId;
  readonly subject: Subject;
  readonly handle: ExecutionHandle;
  readonly inator: Inator;
  /**
   * `new`: never handed to an executor, of which its own process is sure. `found`: an earlier process may have done so.
   * `submitted`: the executor has it.
   */
  phase: "new" | "found" | "submitted";
  begunAt: Date | null;
  /** It has given its slot back while its project waits for what it needs for itself. */
  waits: boolean;
  /** It is to end, for this cause; the first one stays. */
  stop: CancelCause | null;
  settled: SettledExecution | null;
  /** How often processes have begun to collect its outputs, counted when this one began; null before. */
  collections: number | null;
  /** Aborted when its time is of no more interest. */
  readonly timers: AbortController;
}

/** @throws Problem internal when its job type has no inator */
export function attemptOf(deps: OrchestratorDeps, subject: Subject, phase: "new" | "found"): Attempt {
  const { job, step, execution } = subject;
  const inator = deps.inators.get(job.type);
  if (inator === undefined) throw new Problem("internal", `no inator is registered for ${job.type} jobs`);
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
    waits: false,
    stop: null,
    settled: null,
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
