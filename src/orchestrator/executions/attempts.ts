/**
 * The attempts that this process tracks, from their start (or re-attachment after a restart) to their completion. This
 * state is a cache: the next process asks the executor again.
 *
 * Each attempt is reconciled by one call at a time, so that its calls reach the executor in order: open and submit, cancel
 * if wanted, then ask for the status. A notification, a cancel or a resync causes a reconcile. A reconcile that throws
 * says nothing about the attempt: it is logged and retried.
 */
import type { CompletedExecution, ExecutionView, Outcome } from "../../domain/index.ts";
import { type ExecutionId, errorMessage, wakeReason } from "../../kernel/index.ts";
import { createReconcileQueue, type ReconcileResult } from "../scheduling/reconcile-queue.ts";
import type { OrchestratorDeps, Subject } from "../types.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";
import { type Attempt, attemptOf, describeAttempt } from "./attempt.ts";
import { completeWithoutOutputs } from "./complete.ts";
import type { AttemptContext, AttemptEvents } from "./context.ts";
import { startAttempt } from "./start.ts";
import { checkStatus } from "./status.ts";

const retryMs = 15_000;

export interface Attempts {
  has(id: ExecutionId): boolean;
  /** Starts an attempt that was never handed to an executor: opens its job's workspace, then submits. */
  start(subject: Subject): void;
  /** Asks the executor about an attempt that an earlier process may have submitted. */
  reattach(subject: Subject): void;
  /** Completes an attempt that ended before anything was done for it. */
  completeUnstarted(subject: Subject, outcome: Outcome): void;
  cancel(id: ExecutionId): void;
  /** True while its project waits for what it needs for itself: an account of the pool. */
  isWaiting(id: ExecutionId): boolean;
  completedOf(executions: readonly ExecutionView[]): readonly CompletedExecution[];
  begunOf(executions: readonly ExecutionView[]): readonly { executionId: ExecutionId; begunAt: Date }[];
  /** Stops tracking an attempt whose end is recorded or that another process owns. */
  untrack(id: ExecutionId): void;
  /** Reconciles every attempt that has not ended. */
  relist(): void;
  /** Resolves when none of these attempts, or no attempt at all, is being reconciled. */
  idle(ids?: Iterable<ExecutionId>): Promise<void>;
}

export function createAttempts(
  deps: OrchestratorDeps,
  workspaces: Workspaces,
  events: AttemptEvents,
  stopping: AbortSignal,
): Attempts {
  const { executor, log } = deps;
  const attempts = new Map<ExecutionId, Attempt>();
  const queue = createReconcileQueue<ExecutionId>({
    clock: deps.clock,
    retryMs,
    stopping,
    reconcile,
    onError(id, error) {
      const attempt = attempts.get(id);
      const fields = attempt === undefined ? { execution_id: id } : describeAttempt(attempt);
      log.error(
        { ...fields, error: errorMessage(error) },
        "An attempt could not be followed and is retried.",
      );
    },
  });
  const enqueue = (attempt: Attempt) => void queue.enqueue(attempt.id);

  const context: AttemptContext = {
    ...deps,
    workspaces,
    events,
    stopping,
    enqueue,
    finish(attempt, completed) {
      if (attempts.get(attempt.id) !== attempt) return;
      attempt.completed = completed;
      end(attempt);
    },
    drop(attempt) {
      if (attempts.get(attempt.id) !== attempt) return;
      attempts.delete(attempt.id);
      end(attempt);
    },
  };

  async function reconcile(id: ExecutionId): Promise<ReconcileResult> {
    const attempt = attempts.get(id);
    if (attempt === undefined || attempt.completed !== null) return "done";
    if (attempt.phase === "new" && !(await startAttempt(context, attempt))) return "done";
    if (attempt.stop !== null)
      await executor.cancel(attempt.handle, attempt.stop, attempt.subject.step.plan.graceSeconds);
    await checkStatus(context, attempt);
    return "done";
  }

  function end(attempt: Attempt): void {
    attempt.timers.abort(wakeReason);
    events.ended(attempt.id);
    events.changed(attempt.subject.runId);
  }

  function enter(attempt: Attempt): void {
    attempts.set(attempt.id, attempt);
    enqueue(attempt);
  }

  executor.watch(stopping, ({ executionId }) => {
    const attempt = attempts.get(executionId);
    if (attempt !== undefined && attempt.completed === null) enqueue(attempt);
  });
  stopping.addEventListener("abort", () => {
    for (const attempt of attempts.values()) attempt.timers.abort(wakeReason);
  });

  return {
    has: (id) => attempts.has(id),
    isWaiting: (id) => attempts.get(id)?.isWaiting ?? false,
    start: (subject) => enter(attemptOf(deps, subject, "new")),
    reattach: (subject) => enter(attemptOf(deps, subject, "found")),
    completeUnstarted(subject, outcome) {
      const attempt = attemptOf(deps, subject, "new");
      attempt.completed = completeWithoutOutputs(attempt, outcome);
      attempts.set(attempt.id, attempt);
    },
    cancel(id) {
      const attempt = attempts.get(id);
      if (attempt === undefined || attempt.stop !== null || attempt.completed !== null) return;
      attempt.stop = "canceled";
      enqueue(attempt);
    },
    completedOf: (executions) =>
      executions.flatMap((execution) => attempts.get(execution.id)?.completed ?? []),
    begunOf: (executions) =>
      executions.flatMap((execution) => {
        const begunAt = attempts.get(execution.id)?.begunAt ?? null;
        return begunAt === null ? [] : [{ executionId: execution.id, begunAt }];
      }),
    untrack(id) {
      attempts.get(id)?.timers.abort(wakeReason);
      attempts.delete(id);
    },
    relist() {
      for (const attempt of attempts.values()) if (attempt.completed === null) enqueue(attempt);
    },
    idle: (ids) => queue.idle(ids),
  };
}
