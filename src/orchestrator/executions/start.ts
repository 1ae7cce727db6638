/** Starts an attempt: opens its job's workspace, then submits. */
import type { Outcome } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import { type Attempt, describeAttempt } from "./attempt.ts";
import { completeWithoutOutputs } from "./complete.ts";
import type { AttemptContext } from "./context.ts";
import { neverBegan, outcomeOfProblem } from "./outcomes.ts";

/** Returns true when the executor has the attempt. */
export async function startAttempt(context: AttemptContext, attempt: Attempt): Promise<boolean> {
  const { workspaces, stopping } = context;
  if (attempt.stop !== null) return refuseAttempt(context, attempt, neverBegan("canceled", null));
  if (stopping.aborted && !workspaces.isOpen(attempt.subject.job.id)) return false;
  try {
    if (!(await open(context, attempt))) return false;
    if (attempt.stop !== null) return refuseAttempt(context, attempt, neverBegan("canceled", null));
    await submit(context, attempt);
    return true;
  } catch (error) {
    return refuseStart(context, attempt, error);
  }
}

async function open(context: AttemptContext, attempt: Attempt): Promise<boolean> {
  const { workspaces, events, enqueue, drop } = context;
  const occupied = await workspaces.admission(attempt.subject);
  if (occupied !== null) {
    wait(context, attempt, occupied.until);
    return false;
  }
  if (attempt.isWaiting && !events.reacquire(attempt.id, () => enqueue(attempt))) return false;
  attempt.isWaiting = false;
  const admission = await workspaces.open(attempt.subject);
  if (admission === "canceled") attempt.stop ??= "canceled";
  if (admission === "foreign") drop(attempt);
  return admission === "admitted" || admission === "canceled";
}

/** Releases the slot: the attempts that this one waits for may need it to come to their end. */
function wait({ events, enqueue }: AttemptContext, attempt: Attempt, until: Promise<void>): void {
  if (attempt.isWaiting) return;
  attempt.isWaiting = true;
  events.ended(attempt.id);
  void until.then(() => enqueue(attempt));
}

async function submit({ executor, workspaces }: AttemptContext, attempt: Attempt): Promise<void> {
  await executor.submit(await workspaces.describe(attempt.subject));
  attempt.phase = "submitted";
}

/** Submits again: the process that recorded the opening may have died before its first submit. */
export async function resubmitAttempt(context: AttemptContext, attempt: Attempt): Promise<void> {
  const isFound = attempt.phase === "found" && attempt.stop === null;
  if (!isFound || context.events.modeOf(attempt.subject.runId) !== "own") return;
  try {
    await submit(context, attempt);
  } catch (error) {
    refuseStart(context, attempt, error);
  }
}

function refuseStart(context: AttemptContext, attempt: Attempt, error: unknown): false {
  const problem = Problem.from(error);
  // The attempt itself did not fail: it starts when the database is back.
  if (problem.code === "database_unavailable") throw problem;
  context.log.warn(
    { ...describeAttempt(attempt), error: problem.message },
    "An attempt could not be started.",
  );
  return refuseAttempt(context, attempt, outcomeOfProblem(problem));
}

export function refuseAttempt(context: AttemptContext, attempt: Attempt, outcome: Outcome): false {
  context.finish(attempt, completeWithoutOutputs(attempt, outcome));
  return false;
}
