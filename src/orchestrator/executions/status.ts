/** Asks the executor for the status of an attempt, and acts on it. */
import type { Outcome } from "../../domain/index.ts";
import type { Attempt } from "./attempt.ts";
import { completeEnded, completeWithoutOutputs } from "./complete.ts";
import type { AttemptContext } from "./context.ts";
import { neverBegan, vanished } from "./outcomes.ts";
import { probe } from "./probe.ts";
import { refuseAttempt, resubmitAttempt } from "./start.ts";

/** A begin is recorded on its own only when the attempt is still running after this long; else with its end. */
const beginDelayMs = 150;

export async function checkStatus(context: AttemptContext, attempt: Attempt): Promise<void> {
  const status = await context.executor.status(attempt.handle);
  if (context.stopping.aborted) return;
  if (status.state === "begun") noteBegin(context, attempt, status.begunAt);
  else if (status.state === "waiting" && status.undelivered) await resubmitAttempt(context, attempt);
  else if (status.state === "waiting") attempt.phase = "submitted";
  else if (status.state === "unknown") await handleUnknown(context, attempt, status);
  else await complete(context, attempt, status.outcome);
}

/** Completes the attempt. Where its end leaves open what was done, the run's owner probes first. */
async function complete(context: AttemptContext, attempt: Attempt, outcome: Outcome): Promise<void> {
  const { events, finish, stopping } = context;
  const { inator, subject, id } = attempt;
  const probeStep = inator.probe?.(subject.step.plan, id, outcome) ?? null;
  if (probeStep === null) {
    const completed = await completeEnded(context, context.workspaces, attempt, outcome, stopping);
    if (completed !== null) finish(attempt, completed);
  } else if (events.modeOf(subject.runId) === "own") {
    const probed = await probe(context, attempt, probeStep, stopping);
    if (probed !== null) finish(attempt, completeWithoutOutputs(attempt, outcome, probed));
  }
}

/**
 * Handles an attempt that the executor does not know. It provably never began when the executor says so, or when its job
 * was never opened.
 */
async function handleUnknown(
  context: AttemptContext,
  attempt: Attempt,
  { unsubmitted }: { readonly unsubmitted?: true },
): Promise<void> {
  const { subject } = attempt;
  const mayBeUntouched = attempt.phase === "found" && subject.execution.status === "pending";
  const isOpened = mayBeUntouched && (await context.workspaces.wasOpened(subject));
  if (!mayBeUntouched || (isOpened && unsubmitted === undefined))
    return await complete(context, attempt, vanished());
  if (attempt.stop !== null) return void refuseAttempt(context, attempt, neverBegan("canceled", null));
  if (context.events.modeOf(subject.runId) !== "own") return;
  // The opening is recorded already, in the name of the process that made it.
  if (isOpened) return await resubmitAttempt(context, attempt);
  attempt.phase = "new";
  context.enqueue(attempt);
}

function noteBegin(context: AttemptContext, attempt: Attempt, begunAt: Date): void {
  attempt.phase = "submitted";
  if (attempt.begunAt !== null) return;
  attempt.begunAt = begunAt;
  void watchTimeout(context, attempt, begunAt);
  if (attempt.subject.execution.status === "pending") void announceBegin(context, attempt);
}

async function announceBegin({ clock, events }: AttemptContext, attempt: Attempt): Promise<void> {
  await clock.sleep(beginDelayMs, attempt.timers.signal);
  if (!attempt.timers.signal.aborted) events.changed(attempt.subject.runId);
}

/** Ends the attempt at its timeout, which counts from the begin, whichever process saw it. */
async function watchTimeout(
  { clock, enqueue }: AttemptContext,
  attempt: Attempt,
  begunAt: Date,
): Promise<void> {
  const end = begunAt.getTime() + attempt.subject.step.plan.timeoutSeconds * 1000;
  for (;;) {
    const left = end - clock.now().getTime();
    if (left <= 0) break;
    await clock.sleep(left, attempt.timers.signal);
    if (attempt.timers.signal.aborted) return;
  }
  attempt.stop ??= "timed_out";
  enqueue(attempt);
}
