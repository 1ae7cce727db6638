/**
 * The attempts that this process tracks, from their start (or re-attachment after a restart) to their completion. This
 * state is a cache: the next process asks the executor again.
 *
 * Each attempt is reconciled by one call at a time, so that its calls reach the executor in order: open and submit, cancel
 * if wanted, then ask for the status. A notification, a cancel or a resync causes a reconcile. A reconcile that throws
 * says nothing about the attempt: it is logged and retried.
 */
import type { CompletedExecution, ExecutionView, Outcome } from "../../domain/index.ts";
import { type ExecutionId, errorMessage, Problem, type RunId, wakeReason } from "../../kernel/index.ts";
import { createReconcileQueue, type ReconcileResult } from "../reconcile/queue.ts";
import type { ModeOf, OrchestratorDeps, Subject } from "../types.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";
import { type Attempt, attemptOf, describeAttempt } from "./attempt.ts";
import { completeEnded, completeWithoutOutputs } from "./complete.ts";
import { neverBegan, outcomeOfProblem, vanished } from "./outcomes.ts";
import { probe } from "./probe.ts";

const retryMs = 15_000;

/** A begin is recorded on its own only when the attempt is still running after this long; else with its end. */
const beginDelayMs = 150;

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

interface AttemptEvents {
  /** The run has something to record. */
  changed(runId: RunId): void;
  /** The attempt no longer needs its slot. */
  ended(id: ExecutionId): void;
  /** Acquires a slot again; false: none is free, and `free` is called when the attempt has one. */
  reacquire(id: ExecutionId, free: () => void): boolean;
  readonly modeOf: ModeOf;
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

  async function reconcile(id: ExecutionId): Promise<ReconcileResult> {
    const attempt = attempts.get(id);
    if (attempt === undefined || attempt.completed !== null) return "done";
    if (attempt.phase === "new" && !(await start(attempt))) return "done";
    if (attempt.stop !== null)
      await executor.cancel(attempt.handle, attempt.stop, attempt.subject.step.plan.graceSeconds);
    await checkStatus(attempt);
    return "done";
  }

  /** True when the executor has the attempt. */
  async function start(attempt: Attempt): Promise<boolean> {
    const { subject } = attempt;
    if (attempt.stop !== null) return refuse(attempt, neverBegan("canceled", null));
    if (stopping.aborted && !workspaces.isOpen(subject.job.id)) return false;
    try {
      const occupied = await workspaces.admission(subject);
      if (occupied !== null) return wait(attempt, occupied.until);
      if (attempt.isWaiting && !events.reacquire(attempt.id, () => enqueue(attempt))) return false;
      attempt.isWaiting = false;
      const admission = await workspaces.open(subject);
      if (admission === "canceled") attempt.stop ??= "canceled";
      if (admission === "stopping") return false;
      if (admission === "foreign") {
        drop(attempt);
        return false;
      }
      if (attempt.stop !== null) return refuse(attempt, neverBegan("canceled", null));
      await submit(attempt);
      return true;
    } catch (error) {
      return refuseStart(attempt, error);
    }
  }

  /** Releases the slot: the attempts that this one waits for may need it to come to their end. */
  function wait(attempt: Attempt, until: Promise<void>): false {
    if (attempt.isWaiting) return false;
    attempt.isWaiting = true;
    events.ended(attempt.id);
    void until.then(() => enqueue(attempt));
    return false;
  }

  async function submit(attempt: Attempt): Promise<void> {
    await executor.submit(await workspaces.describe(attempt.subject));
    attempt.phase = "submitted";
  }

  /** Submits again: the process that recorded the opening may have died before its first submit. */
  async function resubmit(attempt: Attempt): Promise<void> {
    const isFound = attempt.phase === "found" && attempt.stop === null;
    if (!isFound || events.modeOf(attempt.subject.runId) !== "own") return;
    try {
      await submit(attempt);
    } catch (error) {
      refuseStart(attempt, error);
    }
  }

  function refuseStart(attempt: Attempt, error: unknown): false {
    const problem = Problem.from(error);
    // The attempt itself did not fail: it starts when the database is back.
    if (problem.code === "database_unavailable") throw problem;
    log.warn({ ...describeAttempt(attempt), error: problem.message }, "An attempt could not be started.");
    return refuse(attempt, outcomeOfProblem(problem));
  }

  function refuse(attempt: Attempt, outcome: Outcome): false {
    finish(attempt, completeWithoutOutputs(attempt, outcome));
    return false;
  }

  async function checkStatus(attempt: Attempt): Promise<void> {
    const status = await executor.status(attempt.handle);
    if (stopping.aborted) return;
    if (status.state === "begun") noteBegin(attempt, status.begunAt);
    else if (status.state === "waiting" && status.undelivered) await resubmit(attempt);
    else if (status.state === "waiting") attempt.phase = "submitted";
    else if (status.state === "unknown") await handleUnknown(attempt, status);
    else await complete(attempt, status.outcome);
  }

  /** Completes the attempt. Where its end leaves open what was done, the run's owner asks first. */
  async function complete(attempt: Attempt, outcome: Outcome): Promise<void> {
    const { inator, subject, id } = attempt;
    const probeStep = inator.probe?.(subject.step.plan, id, outcome) ?? null;
    if (probeStep === null) {
      const completed = await completeEnded(deps, workspaces, attempt, outcome, stopping);
      if (completed !== null) finish(attempt, completed);
    } else if (events.modeOf(subject.runId) === "own") {
      const probed = await probe(deps, attempt, probeStep, stopping);
      if (probed !== null) finish(attempt, completeWithoutOutputs(attempt, outcome, probed));
    }
  }

  /**
   * Handles an attempt that the executor does not know. It provably never began when the executor says so, or when its
   * job was never opened.
   */
  async function handleUnknown(
    attempt: Attempt,
    { unsubmitted }: { readonly unsubmitted?: true },
  ): Promise<void> {
    const { subject } = attempt;
    const mayBeUntouched = attempt.phase === "found" && subject.execution.status === "pending";
    const isOpened = mayBeUntouched && (await workspaces.wasOpened(subject));
    if (!mayBeUntouched || (isOpened && unsubmitted === undefined))
      return await complete(attempt, vanished());
    if (attempt.stop !== null) return void refuse(attempt, neverBegan("canceled", null));
    if (events.modeOf(subject.runId) !== "own") return;
    // The opening is recorded already, in the name of the process that made it.
    if (isOpened) return await resubmit(attempt);
    attempt.phase = "new";
    enqueue(attempt);
  }

  function finish(attempt: Attempt, completed: CompletedExecution): void {
    if (attempts.get(attempt.id) !== attempt) return;
    attempt.completed = completed;
    attempt.timers.abort(wakeReason);
    events.ended(attempt.id);
    events.changed(attempt.subject.runId);
  }

  function drop(attempt: Attempt): void {
    if (attempts.get(attempt.id) !== attempt) return;
    attempt.timers.abort(wakeReason);
    attempts.delete(attempt.id);
    events.ended(attempt.id);
    events.changed(attempt.subject.runId);
  }

  function noteBegin(attempt: Attempt, begunAt: Date): void {
    attempt.phase = "submitted";
    if (attempt.begunAt !== null) return;
    attempt.begunAt = begunAt;
    void watchTimeout(attempt, begunAt);
    if (attempt.subject.execution.status === "pending") void announceBegin(attempt);
  }

  async function announceBegin(attempt: Attempt): Promise<void> {
    await deps.clock.sleep(beginDelayMs, attempt.timers.signal);
    if (!attempt.timers.signal.aborted) events.changed(attempt.subject.runId);
  }

  /** The timeout counts from the begin, whichever process saw it. */
  async function watchTimeout(attempt: Attempt, begunAt: Date): Promise<void> {
    const end = begunAt.getTime() + attempt.subject.step.plan.timeoutSeconds * 1000;
    for (;;) {
      const left = end - deps.clock.now().getTime();
      if (left <= 0) break;
      await deps.clock.sleep(left, attempt.timers.signal);
      if (attempt.timers.signal.aborted) return;
    }
    attempt.stop ??= "timed_out";
    enqueue(attempt);
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
