/**
 * Reconciles a run: reads its snapshot, tracks the executions that are live in it, asks the planner, applies the changes
 * in one transaction that compares and sets the run's seq, then performs the intents. The same code runs on a trigger, a
 * report, a timer, and after a crash.
 *
 * An apply whose reply is lost may have been committed. So an end stays tracked until a snapshot no longer shows its
 * execution, and the snapshot says which workspaces to close.
 */
import {
  type ChangeSet,
  type Evidence,
  isFinalRun,
  type Plan,
  type PlanIds,
  plan,
  type RunSnapshot,
} from "../../domain/index.ts";
import { errorMessage, newId, type RunId } from "../../kernel/index.ts";
import type { Release } from "../../store/index.ts";
import type { ReconcileResult } from "../scheduling/reconcile-queue.ts";
import type { ReconcileContext } from "./context.ts";
import { applyChanges, dropExecution, trackExecutions } from "./executions.ts";
import { endedDeploy, startsOtherSteps } from "./snapshots.ts";
import type { TrackedRun } from "./tracked-runs.ts";

/** A release may become free in another process, which notifies nobody here. */
const waitingDeployMs = 15_000;

const ids: PlanIds = { execution: newId, job: newId };

/** One reconcile. Calls for one run must not overlap. */
export async function reconcileRun(context: ReconcileContext, runId: RunId): Promise<ReconcileResult> {
  const { store, runs, dispatcher, workspaces, stopping } = context;
  const run = runs.get(runId);
  if (run === undefined || stopping.aborted) return "done";
  const [snapshot, unavailableReason] = await Promise.all([
    store.runs.snapshot(runId),
    dispatcher.unavailableReason(),
  ]);
  if (runs.get(runId) !== run || stopping.aborted) return "done";
  if (snapshot === null || isFinalRun(snapshot.run.status)) {
    workspaces.closeEnded(runId, undefined);
    untrackRun(context, runId);
    return "done";
  }
  run.seq = snapshot.run.seq;
  trackExecutions(context, run, snapshot);
  return await decide(context, run, snapshot, unavailableReason);
}

/** Stops tracking the run and everything that belongs to it. */
export function untrackRun(context: ReconcileContext, runId: RunId): void {
  const { runs, resolution } = context;
  const run = runs.get(runId);
  if (run === undefined) return;
  runs.delete(runId);
  resolution.cancel(runId);
  for (const id of run.executions) dropExecution(context, run, id);
}

async function decide(
  context: ReconcileContext,
  run: TrackedRun,
  snapshot: RunSnapshot,
  unavailableReason: string | null,
): Promise<ReconcileResult> {
  const { parallelLimit } = context;
  const evidence = evidenceOf(context, snapshot);
  const decision = plan(snapshot, evidence, { mode: run.mode, parallelLimit, ids });
  if (decision.changes === null) {
    perform(context, snapshot, decision);
    return snapshot.deployBlock?.outcome === "active" ? { afterMs: waitingDeployMs } : "done";
  }
  const applied = await applyChanges(context, run, snapshot, decision.changes, unavailableReason);
  if (applied === null) return (await isStillOwned(context, run.id)) ? "again" : "done";
  run.seq = applied.seq;
  for (const { executionId } of evidence.completed) dropExecution(context, run, executionId);
  return await finish(context, run, snapshot, { ...decision, changes: decision.changes });
}

function evidenceOf({ resolution, attempts }: ReconcileContext, snapshot: RunSnapshot): Evidence {
  const unresolvable = resolution.failureOf(snapshot.run.id);
  return {
    ...(unresolvable === undefined ? {} : { unresolvable }),
    completed: attempts.completedOf(snapshot.executions),
    begun: attempts.begunOf(snapshot.executions),
  };
}

/** Acts on changes that are saved. */
async function finish(
  context: ReconcileContext,
  run: TrackedRun,
  snapshot: RunSnapshot,
  decision: Plan & { readonly changes: ChangeSet },
): Promise<ReconcileResult> {
  const { changes, intents } = decision;
  perform(context, snapshot, decision);
  context.recorded(changes, run.id);
  const isFinished = intents.some((intent) => intent.kind === "finished");
  if (isFinished) untrackRun(context, run.id);
  const release = endedDeploy(snapshot, changes);
  if (release !== null) await enqueueNextDeploy(context, release);
  return !isFinished && startsOtherSteps(changes) ? "again" : "done";
}

function perform(context: ReconcileContext, snapshot: RunSnapshot, { intents }: Plan): void {
  const { attempts, resolution, workspaces } = context;
  for (const intent of intents) {
    if (intent.kind === "resolve") resolution.request(intent.runId);
    if (intent.kind === "cancel") attempts.cancel(intent.executionId);
    if (intent.kind === "close") {
      const job = snapshot.jobs.find((candidate) => candidate.id === intent.jobId);
      if (job !== undefined) workspaces.close(snapshot.run.id, job);
    }
  }
}

/**
 * Enqueues one waiting deploy, the oldest: waking all would be n² reads for n deploys. A deploy that ends without taking
 * the release comes here too, so the next one follows. A failure only delays it to its own timer.
 */
async function enqueueNextDeploy(context: ReconcileContext, release: Release): Promise<void> {
  const { store, owner, log, enqueue } = context;
  try {
    const next = await store.runs.nextDeploy(owner, release);
    if (next !== null) enqueue(next);
  } catch (error) {
    log.warn({ ...release, error: errorMessage(error) }, "The next deploy to a release could not be found.");
  }
}

async function isStillOwned(context: ReconcileContext, runId: RunId): Promise<boolean> {
  const { store, owner, log, workspaces } = context;
  const run = await store.runs.get(runId);
  if (run?.owner_id === owner.instance && run.owner_epoch === owner.epoch) return true;
  log.warn({ pipeline_run_id: runId }, "Another process owns this run now, so this one no longer tracks it.");
  workspaces.untrack(runId);
  untrackRun(context, runId);
  return false;
}
