/**
 * Composes the parts: `reconcile` decides and saves, `executions` and `workspaces` do, `scheduling` says which execution
 * may start. The resync is the guarantee behind every notification that may be lost.
 */
import type { ChangeSet } from "../domain/index.ts";
import { createLoop, errorMessage, type RunId } from "../kernel/index.ts";
import { createAttempts } from "./executions/attempts.ts";
import type { ReconcileContext } from "./reconcile/context.ts";
import { reconcileRun, untrackRun } from "./reconcile/reconciler.ts";
import { createSourceResolution } from "./reconcile/source-resolution.ts";
import { createTrackedRuns } from "./reconcile/tracked-runs.ts";
import { createDispatcher } from "./scheduling/dispatcher.ts";
import { createReconcileQueue } from "./scheduling/reconcile-queue.ts";
import type { Orchestrator, OrchestratorDeps } from "./types.ts";
import { createWorkspaces } from "./workspaces/workspaces.ts";

const resyncMs = 15_000;

/** Maximum number of runs that a resync reconciles at the same time. */
const maxTogether = 250;

export function createOrchestrator(deps: OrchestratorDeps): Orchestrator {
  const { log, clock, store, owner } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const recordListeners = new Set<(changes: ChangeSet, runId: RunId) => void>();
  const runs = createTrackedRuns();
  const queue = createReconcileQueue<RunId>({
    clock,
    retryMs: resyncMs,
    stopping: signal,
    reconcile: (runId) => reconcileRun(context, runId),
    onError: (runId, error) =>
      log.error({ pipeline_run_id: runId, error: errorMessage(error) }, "A reconcile failed and is retried."),
  });
  const enqueue = (runId: RunId) => void queue.enqueue(runId);
  const workspaces = createWorkspaces(deps, signal);
  const dispatcher = createDispatcher(deps, (subject) => attempts.start(subject));
  const attempts = createAttempts(
    deps,
    workspaces,
    {
      changed: enqueue,
      ended: (id) => dispatcher.release(id),
      reacquire: (id, free) => dispatcher.reacquire(id, free),
      modeOf: (runId) => runs.get(runId)?.mode,
    },
    signal,
  );
  const resolution = createSourceResolution(deps, { enqueue, enqueueAfter: queue.enqueueAfter }, signal);
  const context: ReconcileContext = {
    ...deps,
    runs,
    attempts,
    resolution,
    dispatcher,
    workspaces,
    stopping: signal,
    recorded(changes, runId) {
      for (const listener of recordListeners) listener(changes, runId);
    },
    enqueue,
  };
  const resyncs = createLoop({
    clock,
    everyMs: resyncMs,
    onError: (error) => log.error({ error: errorMessage(error) }, "The resync failed and is repeated."),
    async runOnce() {
      workspaces.retryClosing();
      attempts.relist();
      if (runs.size > 0) await resync();
    },
  });

  async function resync(): Promise<void> {
    const positions = await store.runs.positions(owner);
    // The reply that would have confirmed the ownership was lost.
    for (const { id } of positions) if (runs.get(id) === undefined) runs.track(id, "own");
    const runnable = runs.runnable(positions);
    for (let from = 0; from < runnable.length && !signal.aborted; from += maxTogether)
      await Promise.all(runnable.slice(from, from + maxTogether).map(queue.enqueue));
  }

  async function notify(runId: RunId, seq: number): Promise<void> {
    // A running reconcile may have written this seq itself.
    await queue.idle([runId]);
    if ((runs.get(runId)?.seq ?? seq) < seq) await queue.enqueue(runId);
  }

  async function observe(runId: RunId): Promise<void> {
    const run = runs.track(runId, "observe");
    await queue.enqueue(runId);
    await attempts.idle(run.executions);
    await queue.enqueue(runId);
    if (runs.get(runId)?.mode === "observe") untrackRun(context, runId);
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await Promise.all([resyncs.stop(), dispatcher.stop()]);
    await queue.idle();
    await attempts.idle();
    await Promise.all([workspaces.idle(), resolution.idle()]);
  }

  let stopped: Promise<void> | undefined;
  const orchestrator: Orchestrator = {
    start() {
      resyncs.start();
      dispatcher.start();
    },
    own(owned) {
      for (const { id, claimed = [] } of owned) {
        for (const execution of claimed) dispatcher.occupy(execution);
        runs.track(id, "own", claimed);
      }
    },
    enqueue: queue.enqueue,
    notify: (runId, seq) => void notify(runId, seq),
    resync,
    observe,
    waitsForAccount: (id) => attempts.isWaiting(id),
    resolveError: (runId) => resolution.lastError(runId),
    onRecorded(listener) {
      recordListeners.add(listener);
      return () => recordListeners.delete(listener);
    },
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => orchestrator.stop(),
  };
  return orchestrator;
}
