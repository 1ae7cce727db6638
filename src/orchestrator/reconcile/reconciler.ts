/**
 * Reconciles a run: reads its snapshot, tracks the executions that are live in it, asks the planner, applies the changes
 * in one transaction that compares and sets the run's seq, then performs the intents. The same code runs on a trigger, a
 * report, a timer, and after a crash.
 *
 * An apply whose reply is lost may have been committed. So an execution enters the queue before its apply is sent, an end
 * stays tracked until a snapshot no longer shows its execution, and the snapshot says which workspaces to close.
 */
import {
  type ChangeSet,
  isFinalRun,
  isFinalStage,
  type Plan,
  type PlanIds,
  plan,
  type RunSnapshot,
} from "../../domain/index.ts";
import { type ExecutionId, errorMessage, newId, type RunId } from "../../kernel/index.ts";
import type { Attempts } from "../executions/attempts.ts";
import { neverBegan } from "../executions/outcomes.ts";
import type { Dispatcher } from "../scheduling/dispatcher.ts";
import type { OrchestratorDeps, Subject } from "../types.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";
import type { ReconcileResult } from "./queue.ts";
import { endedDeploy, startsOtherSteps, subjectOf } from "./snapshots.ts";
import type { SourceResolution } from "./source-resolution.ts";
import type { TrackedRun, TrackedRuns } from "./tracked-runs.ts";

/** A release may become free in another process, which notifies nobody here. */
const waitingDeployMs = 15_000;

const ids: PlanIds = { execution: newId, job: newId };

export interface Reconciler {
  /** One reconcile. Calls for one run must not overlap. */
  reconcile(runId: RunId): Promise<ReconcileResult>;
  /** Stops tracking the run and everything that belongs to it. */
  untrack(runId: RunId): void;
}

export interface ReconcilerDeps {
  readonly runs: TrackedRuns;
  readonly attempts: Attempts;
  readonly dispatcher: Dispatcher;
  readonly resolution: SourceResolution;
  readonly workspaces: Workspaces;
  readonly recorded: (changes: ChangeSet, runId: RunId) => void;
  readonly enqueue: (runId: RunId) => void;
  readonly stopping: AbortSignal;
}

export function createReconciler(deps: OrchestratorDeps, parts: ReconcilerDeps): Reconciler {
  const { store, log, owner } = deps;
  const { runs, attempts, dispatcher, resolution, workspaces, stopping } = parts;

  async function reconcile(runId: RunId): Promise<ReconcileResult> {
    const run = runs.get(runId);
    if (run === undefined || stopping.aborted) return "done";
    const [snapshot, refusal] = await Promise.all([store.runs.snapshot(runId), dispatcher.refusal()]);
    if (runs.get(runId) !== run || stopping.aborted) return "done";
    if (snapshot === null || isFinalRun(snapshot.run.status)) {
      workspaces.closeEnded(runId, undefined);
      untrack(runId);
      return "done";
    }
    run.seq = snapshot.run.seq;
    trackExecutions(run, snapshot);
    return await decide(run, snapshot, refusal);
  }

  /** Brings what this process tracks of the run into line with the database. */
  function trackExecutions(run: TrackedRun, snapshot: RunSnapshot): void {
    const live = new Set(snapshot.executions.map((execution) => execution.id));
    for (const id of run.executions) if (!live.has(id)) drop(run, id);
    const active = snapshot.jobs.find((job) => !isFinalStage(job.status));
    workspaces.closeEnded(run.id, active?.id);
    for (const execution of snapshot.executions) {
      const subject = attempts.has(execution.id) ? null : subjectOf(snapshot, execution);
      if (subject !== null) trackExecution(run, subject, snapshot.run.cancelRequested);
    }
    dispatcher.wake();
  }

  function trackExecution(run: TrackedRun, subject: Subject, canceled: boolean): void {
    const { id, instance } = subject.execution;
    if (instance !== null && instance !== owner.instance) return;
    const queued = dispatcher.dequeue(id);
    if (canceled && (instance === null || queued !== undefined)) {
      // No process has started it, and none will.
      run.executions.add(id);
      attempts.completeUnstarted(subject, neverBegan("canceled", null));
    } else if (instance === null) {
      if (run.mode === "own") queue(run, subject);
    } else {
      run.executions.add(id);
      dispatcher.occupy(id);
      if (queued === undefined) attempts.reattach(subject);
      else attempts.start(subject);
    }
  }

  async function decide(
    run: TrackedRun,
    snapshot: RunSnapshot,
    refusal: string | null,
  ): Promise<ReconcileResult> {
    const unresolvable = resolution.failureOf(run.id);
    const evidence = {
      ...(unresolvable === undefined ? {} : { unresolvable }),
      completed: attempts.completedOf(snapshot.executions),
      begun: attempts.begunOf(snapshot.executions),
    };
    const decision = plan(snapshot, evidence, { mode: run.mode, parallelLimit: deps.parallelLimit, ids });
    const { changes } = decision;
    if (changes === null) {
      perform(snapshot, decision);
      return snapshot.deployBlock?.outcome === "active" ? { afterMs: waitingDeployMs } : "done";
    }
    const applied = await apply(run, snapshot, changes, refusal);
    if (applied === null) return (await isStillOwned(run.id)) ? "again" : "done";
    run.seq = applied.seq;
    for (const { executionId } of evidence.completed) drop(run, executionId);
    perform(snapshot, decision);
    parts.recorded(changes, run.id);
    const release = endedDeploy(snapshot, changes);
    const isFinished = decision.intents.some((intent) => intent.kind === "finished");
    if (isFinished) untrack(run.id);
    if (release !== null) await enqueueNextDeploy(release);
    return !isFinished && startsOtherSteps(changes) ? "again" : "done";
  }

  /** Saves the changes, then starts or queues the new executions: both only once they are certainly saved. */
  async function apply(run: TrackedRun, snapshot: RunSnapshot, changes: ChangeSet, refusal: string | null) {
    const fresh = changes.newExecutions.flatMap(
      (made) => subjectOf(snapshot, { ...made, status: "pending", instance: null }) ?? [],
    );
    const executions = fresh.map((subject) => subject.execution.id);
    const owns = run.mode === "own";
    const claim = owns && refusal === null ? dispatcher.acquire(executions) : [];
    if (owns) for (const subject of fresh) queue(run, subject);
    for (const subject of fresh) if (claim.includes(subject.execution.id)) workspaces.prefetch(subject);
    let applied: { readonly seq: number } | null;
    try {
      const context = { cause: "reconcile", claim };
      applied = await store.runs.apply(run.id, owner, snapshot.run.seq, changes, context);
    } catch (error) {
      for (const id of claim) dispatcher.release(id);
      throw error;
    }
    if (applied === null) for (const id of executions) drop(run, id);
    else
      for (const id of claim) {
        const subject = dispatcher.dequeue(id);
        if (subject !== undefined) attempts.start(subject);
      }
    dispatcher.wake();
    return applied;
  }

  function perform(snapshot: RunSnapshot, { intents }: Plan): void {
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
   * Enqueues one waiting deploy, the oldest: waking all would be n² reads for n deploys. A deploy that ends without
   * taking the release comes here too, so the next one follows. A failure only delays it to its own timer.
   */
  async function enqueueNextDeploy(release: ReturnType<typeof endedDeploy> & object): Promise<void> {
    try {
      const next = await store.runs.nextDeploy(owner, release);
      if (next !== null) parts.enqueue(next);
    } catch (error) {
      log.warn(
        { ...release, error: errorMessage(error) },
        "The next deploy to a release could not be found.",
      );
    }
  }

  async function isStillOwned(runId: RunId): Promise<boolean> {
    const run = await store.runs.get(runId);
    if (run?.owner_id === owner.instance && run.owner_epoch === owner.epoch) return true;
    log.warn(
      { pipeline_run_id: runId },
      "Another process owns this run now, so this one no longer tracks it.",
    );
    workspaces.untrack(runId);
    untrack(runId);
    return false;
  }

  function queue(run: TrackedRun, subject: Subject): void {
    run.executions.add(subject.execution.id);
    dispatcher.enqueue(subject);
  }

  function drop(run: TrackedRun, id: ExecutionId): void {
    run.executions.delete(id);
    attempts.untrack(id);
    dispatcher.dequeue(id);
    dispatcher.release(id);
  }

  function untrack(runId: RunId): void {
    const run = runs.get(runId);
    if (run === undefined) return;
    runs.delete(runId);
    resolution.cancel(runId);
    for (const id of run.executions) drop(run, id);
  }

  return { reconcile, untrack };
}
