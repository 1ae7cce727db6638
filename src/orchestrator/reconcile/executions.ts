/**
 * Tracks the executions of a run: those that its snapshot shows, and those that a reconcile creates. An execution enters
 * the queue before the apply that creates it is sent, because an apply whose reply is lost may have been committed.
 */
import { type ChangeSet, isFinalStage, type RunSnapshot } from "../../domain/index.ts";
import type { ExecutionId } from "../../kernel/index.ts";
import { neverBegan } from "../executions/outcomes.ts";
import type { Subject } from "../types.ts";
import type { ReconcileContext } from "./context.ts";
import { subjectOf } from "./snapshots.ts";
import type { TrackedRun } from "./tracked-runs.ts";

/** Brings the tracked executions and workspaces of the run into line with the database. */
export function trackExecutions(context: ReconcileContext, run: TrackedRun, snapshot: RunSnapshot): void {
  const { attempts, workspaces, dispatcher } = context;
  const live = new Set(snapshot.executions.map((execution) => execution.id));
  for (const id of run.executions) if (!live.has(id)) dropExecution(context, run, id);
  const active = snapshot.jobs.find((job) => !isFinalStage(job.status));
  workspaces.closeEnded(run.id, active?.id);
  for (const execution of snapshot.executions) {
    const subject = attempts.has(execution.id) ? null : subjectOf(snapshot, execution);
    if (subject !== null) trackExecution(context, run, subject, snapshot.run.cancelRequested);
  }
  dispatcher.wake();
}

function trackExecution(
  context: ReconcileContext,
  run: TrackedRun,
  subject: Subject,
  canceled: boolean,
): void {
  const { attempts, dispatcher, owner } = context;
  const { id, instance } = subject.execution;
  if (instance !== null && instance !== owner.instance) return;
  const queued = dispatcher.dequeue(id);
  if (canceled && (instance === null || queued !== undefined)) {
    // No process has started it, and none will.
    run.executions.add(id);
    attempts.completeUnstarted(subject, neverBegan("canceled", null));
  } else if (instance === null) {
    if (run.mode === "own") queueExecution(context, run, subject);
  } else {
    run.executions.add(id);
    dispatcher.occupy(id);
    if (queued === undefined) attempts.reattach(subject);
    else attempts.start(subject);
  }
}

function queueExecution({ dispatcher }: ReconcileContext, run: TrackedRun, subject: Subject): void {
  run.executions.add(subject.execution.id);
  dispatcher.enqueue(subject);
}

export function dropExecution(
  { attempts, dispatcher }: ReconcileContext,
  run: TrackedRun,
  id: ExecutionId,
): void {
  run.executions.delete(id);
  attempts.untrack(id);
  dispatcher.dequeue(id);
  dispatcher.release(id);
}

/** Saves the changes, then starts or queues the new executions: both only once they are certainly saved. */
export async function applyChanges(
  context: ReconcileContext,
  run: TrackedRun,
  snapshot: RunSnapshot,
  changes: ChangeSet,
  unavailableReason: string | null,
): Promise<{ readonly seq: number } | null> {
  const { store, owner, attempts, dispatcher, workspaces } = context;
  const fresh = changes.newExecutions.flatMap(
    (made) => subjectOf(snapshot, { ...made, status: "pending", instance: null }) ?? [],
  );
  const ids = fresh.map((subject) => subject.execution.id);
  const owns = run.mode === "own";
  const claim = owns && unavailableReason === null ? dispatcher.acquire(ids) : [];
  if (owns) for (const subject of fresh) queueExecution(context, run, subject);
  for (const subject of fresh) if (claim.includes(subject.execution.id)) workspaces.prefetch(subject);
  let applied: { readonly seq: number } | null;
  try {
    const cause = { cause: "reconcile", claim };
    applied = await store.runs.apply(run.id, owner, snapshot.run.seq, changes, cause);
  } catch (error) {
    for (const id of claim) dispatcher.release(id);
    throw error;
  }
  if (applied === null) for (const id of ids) dropExecution(context, run, id);
  else
    for (const id of claim) {
      const subject = dispatcher.dequeue(id);
      if (subject !== undefined) attempts.start(subject);
    }
  dispatcher.wake();
  return applied;
}
