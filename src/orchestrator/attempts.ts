/**
 * The attempts in this process's care: from start (or adoption after a restart) to a settled end. What is known here is
 * never the truth, only a way not to ask twice; the next process asks the executor anew.
 *
 * Each attempt is carried by turns, one at a time, so that the executor hears of it in order: open and submit what was
 * not, end what is to end, then ask what became of it. A turn follows each hint, wish or sweep. A turn that throws says
 * nothing about the attempt: it is written to the log, and the sweep's turn tries again.
 */
import type { ExecutionView, Outcome, SettledExecution } from "../domain/index.ts";
import {
  createCoalescer,
  type ExecutionId,
  errorMessage,
  Problem,
  type RunId,
  wakeReason,
} from "../kernel/index.ts";
import { type Attempt, attemptOf, describeAttempt } from "./attempt.ts";
import { inquire } from "./inquiry.ts";
import { neverBegan, outcomeOfProblem, vanished } from "./outcomes.ts";
import { settleBare, settleEnd } from "./settle.ts";
import type { ModeOf, OrchestratorDeps, Subject } from "./types.ts";
import type { Workspaces } from "./workspaces.ts";

/** A begin is written by itself only when the attempt is still running after this long; else with its end. */
const beginDelayMs = 150;

export interface Attempts {
  has(id: ExecutionId): boolean;
  /** Starts an attempt that was never handed to an executor: opens its job's workspace, then submits. */
  start(subject: Subject): void;
  /** Finds out what became of an attempt that an earlier process had in its care. */
  adopt(subject: Subject): void;
  /** Takes note of an attempt that ended before anything was done for it. */
  settleUnstarted(subject: Subject, outcome: Outcome): void;
  cancel(id: ExecutionId): void;
  /** True while its project waits for what it needs for itself: an account of the pool. */
  waits(id: ExecutionId): boolean;
  settledOf(executions: readonly ExecutionView[]): readonly SettledExecution[];
  begunOf(executions: readonly ExecutionView[]): readonly { executionId: ExecutionId; begunAt: Date }[];
  /** Its end is recorded, or it is another's: nothing more is heard of it. */
  forget(id: ExecutionId): void;
  /** A turn for every attempt that has not ended. */
  relist(): void;
  /** Resolves when no turn is under way: of these, or of all. */
  idle(ids?: Iterable<ExecutionId>): Promise<void>;
}

interface AttemptEvents {
  /** There is something to record of the run. */
  changed(runId: RunId): void;
  /** The attempt needs its slot no more. */
  ended(id: ExecutionId): void;
  /** Whether an attempt that gave its slot back has one again; else `free` is called when it has. */
  reoccupy(id: ExecutionId, free: () => void): boolean;
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
  const turns = createCoalescer<ExecutionId>(turn);

  function nudge(attempt: Attempt): void {
    turns.request(attempt.id).catch((error: unknown) => {
      log.error(
        { ...describeAttempt(attempt), error: errorMessage(error) },
        "an attempt could not be followed; the sweep tries again",
      );
    });
  }

  async function turn(id: ExecutionId): Promise<void> {
    const attempt = attempts.get(id);
    if (attempt === undefined || attempt.settled !== null) return;
    if (attempt.phase === "new" && !(await start(attempt))) return;
    if (attempt.stop !== null)
      await executor.cancel(attempt.handle, attempt.stop, attempt.subject.step.plan.graceSeconds);
    await look(attempt);
  }

  /** True when the executor has it; else it has ended, or is left as it is. */
  async function start(attempt: Attempt): Promise<boolean> {
    const { subject } = attempt;
    if (attempt.stop !== null) return refuse(attempt, neverBegan("canceled", null));
    if (stopping.aborted && !workspaces.isOpen(subject.job.id)) return false;
    try {
      const occupied = await workspaces.admission(subject);
      if (occupied !== null) return wait(attempt, occupied.until);
      if (attempt.waits && !events.reoccupy(attempt.id, () => nudge(attempt))) return false;
      attempt.waits = false;
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

  /** Others take the slot: those that keep what is waited for may need one to come to their end. */
  function wait(attempt: Attempt, until: Promise<void>): false {
    if (attempt.waits) return false;
    attempt.waits = true;
    events.ended(attempt.id);
    void until.then(() => nudge(attempt));
    return false;
  }

  async function submit(attempt: Attempt): Promise<void> {
    await executor.submit(await workspaces.describe(attempt.subject));
    attempt.phase = "submitted";
  }

  /** Submits once more what was written down: the process that wrote it down may have died before it handed it out. */
  async function resubmit(attempt: Attempt): Promise<void> {
    const isFound = attempt.phase === "found" && attempt.stop === null;
    if (!isFound || events.modeOf(attempt.subject.runId) !== "carry") return;
    try {
      await submit(attempt);
    } catch (error) {
      refuseStart(attempt, error);
    }
  }

  function refuseStart(attempt: Attempt, error: unknown): false {
    const problem = Problem.from(error);
    // Nothing is known to be wrong with the attempt: it starts when the database is back.
    if (problem.code === "database_unavailable") throw problem;
    log.warn({ ...describeAttempt(attempt), error: problem.message }, "an attempt could not be started");
    return refuse(attempt, outcomeOfProblem(problem));
  }

  function refuse(attempt: Attempt, outcome: Outcome): false {
    finish(attempt, settleBare(attempt, outcome));
    return false;
  }

  async function look(attempt: Attempt): Promise<void> {
    const status = await executor.status(attempt.handle);
    if (stopping.aborted) return;
    if (status.state === "begun") noteBegin(attempt, status.begunAt);
    else if (status.state === "waiting" && status.undelivered) await resubmit(attempt);
    else if (status.state === "waiting") attempt.phase = "submitted";
    else if (status.state === "unknown") await miss(attempt, status);
    else await conclude(attempt, status.outcome);
  }

  /** Where the end leaves open what was done, that is asked first, by whoever carries the run. */
  async function conclude(attempt: Attempt, outcome: Outcome): Promise<void> {
    const { inator, subject, id } = attempt;
    const question = inator.inquire?.(subject.step.plan, id, outcome) ?? null;
    if (question === null) {
      const settled = await settleEnd(deps, workspaces, attempt, outcome, stopping);
      if (settled !== null) finish(attempt, settled);
    } else if (events.modeOf(subject.runId) === "carry") {
      const answer = await inquire(deps, attempt, question, stopping);
      if (answer !== null) finish(attempt, settleBare(attempt, outcome, answer));
    }
  }

  /**
   * The executor has no trace of it. That nothing began is proven when the executor says so, or the job was never opened.
   */
  async function miss(attempt: Attempt, { unsubmitted }: { readonly unsubmitted?: true }): Promise<void> {
    const { subject } = attempt;
    const mayBeUntouched = attempt.phase === "found" && subject.execution.status === "pending";
    const isOpened = mayBeUntouched && (await workspaces.wasOpened(subject));
    if (!mayBeUntouched || (isOpened && unsubmitted === undefined))
      return await conclude(attempt, vanished());
    if (attempt.stop !== null) return void refuse(attempt, neverBegan("canceled", null));
    if (events.modeOf(subject.runId) !== "carry") return;
    // The opening is written down already, in the name of the process that made it.
    if (isOpened) return await resubmit(attempt);
    attempt.phase = "new";
    nudge(attempt);
  }

  function finish(attempt: Attempt, settled: SettledExecution): void {
    if (attempts.get(attempt.id) !== attempt) return;
    attempt.settled = settled;
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

  /** Counted from the begin, whichever process saw it. */
  async function watchTimeout(attempt: Attempt, begunAt: Date): Promise<void> {
    const end = begunAt.getTime() + attempt.subject.step.plan.timeoutSeconds * 1000;
    for (;;) {
      const left = end - deps.clock.now().getTime();
      if (left <= 0) break;
      await deps.clock.sleep(left, attempt.timers.signal);
      if (attempt.timers.signal.aborted) return;
    }
    attempt.stop ??= "timed_out";
    nudge(attempt);
  }

  function enter(attempt: Attempt): void {
    attempts.set(attempt.id, attempt);
    nudge(attempt);
  }

  executor.watch(stopping, (hint) => {
    const attempt = attempts.get(hint.executionId);
    if (attempt !== undefined && attempt.settled === null) nudge(attempt);
  });
  stopping.addEventListener("abort", () => {
    for (const attempt of attempts.values()) attempt.timers.abort(wakeReason);
  });

  return {
    has: (id) => attempts.has(id),
    waits: (id) => attempts.get(id)?.waits ?? false,
    start: (subject) => enter(attemptOf(deps, subject, "new")),
    adopt: (subject) => enter(attemptOf(deps, subject, "found")),
    settleUnstarted(subject, outcome) {
      const attempt = attemptOf(deps, subject, "new");
      attempt.settled = settleBare(attempt, outcome);
      attempts.set(attempt.id, attempt);
    },
    cancel(id) {
      const attempt = attempts.get(id);
      if (attempt === undefined || attempt.stop !== null || attempt.settled !== null) return;
      attempt.stop = "canceled";
      nudge(attempt);
    },
    settledOf: (executions) => executions.flatMap((execution) => attempts.get(execution.id)?.settled ?? []),
    begunOf: (executions) =>
      executions.flatMap((execution) => {
        const begunAt = attempts.get(execution.id)?.begunAt ?? null;
        return begunAt === null ? [] : [{ executionId: execution.id, begunAt }];
      }),
    forget(id) {
      attempts.get(id)?.timers.abort(wakeReason);
      attempts.delete(id);
    },
    relist() {
      for (const attempt of attempts.values()) if (attempt.settled === null) nudge(attempt);
    },
    idle: (ids) => turns.idle(ids),
  };
}
