/**
 * Composes the parts: `advance` decides and saves, `attempts` and `workspaces` do, `dispatcher` says who may start, and
 * the coalescer lets one advance of a run happen at a time. The sweep is the guarantee behind every hint that may be
 * lost and every advance that failed.
 */
import type { ChangeSet } from "../domain/index.ts";
import { createCoalescer, createLoop, errorMessage, type RunId } from "../kernel/index.ts";
import { createAdvance } from "./advance.ts";
import { createAttempts } from "./attempts.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createResolving } from "./resolving.ts";
import type { Orchestrator, OrchestratorDeps } from "./types.ts";
import { createWorkspaces } from "./workspaces.ts";

const sweepMs = 15_000;

/** Runs that are looked at at the same time after a take-over. */
const togetherAtMost = 250;

export function createOrchestrator(deps: OrchestratorDeps): Orchestrator {
  const { log } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const recorders = new Set<(changes: ChangeSet, runId: RunId) => void>();
  const workspaces = createWorkspaces(deps, signal);
  const dispatcher = createDispatcher(deps, (subject) => attempts.start(subject));
  const attempts = createAttempts(
    deps,
    workspaces,
    {
      changed: (runId) => void advanceOrTell(runId),
      ended: (id) => dispatcher.give(id),
      reoccupy: (id, free) => dispatcher.reoccupy(id, free),
      modeOf: (runId) => advance.modeOf(runId),
    },
    signal,
  );
  const resolving = createResolving(deps, (runId) => void advanceOrTell(runId), signal);
  const advance = createAdvance(deps, {
    attempts,
    resolving,
    dispatcher,
    workspaces,
    stopping: signal,
    recorded(changes, runId) {
      for (const recorder of recorders) recorder(changes, runId);
    },
    again: (runId) => void advanceOrTell(runId),
  });
  const passes = createCoalescer<RunId>((runId) => advance.pass(runId));
  const sweeper = createLoop({
    clock: deps.clock,
    everyMs: sweepMs,
    onError: (error) =>
      log.error({ error: errorMessage(error) }, "the sweep failed; the next one tries again"),
    async runOnce() {
      workspaces.tend();
      attempts.relist();
      if (advance.carriesAny()) await sweep();
    },
  });

  async function sweep(): Promise<void> {
    const standings = await deps.store.runs.standings(deps.owner);
    // The answer that told of it was lost.
    for (const { id } of standings) if (advance.modeOf(id) === undefined) advance.take(id, "carry");
    await reconcile(advance.due(standings), signal);
  }

  async function reconcile(
    runIds: readonly RunId[],
    until: AbortSignal,
    done?: (count: number) => void,
  ): Promise<void> {
    for (let from = 0; from < runIds.length && !until.aborted && !signal.aborted; from += togetherAtMost) {
      const chunk = runIds.slice(from, from + togetherAtMost);
      await Promise.all(chunk.map(advanceOrTell));
      done?.(from + chunk.length);
    }
  }

  /** Evidence stays in care until it is recorded, so a failed advance loses nothing. */
  async function advanceOrTell(runId: RunId): Promise<void> {
    if (signal.aborted) return;
    try {
      await passes.request(runId);
    } catch (error) {
      log.error(
        { pipeline_run_id: runId, error: errorMessage(error) },
        "an advance failed; the sweep tries again",
      );
    }
  }

  async function notify(runId: RunId, seq: number): Promise<void> {
    // A pass that is under way may have written this seq itself.
    await passes.idle([runId]);
    if (advance.hasMoved(runId, seq)) await advanceOrTell(runId);
  }

  async function carry(runId: RunId): Promise<void> {
    advance.take(runId, "carry");
    await passes.request(runId);
  }

  async function record(runId: RunId): Promise<void> {
    advance.take(runId, "record");
    try {
      await passes.request(runId);
      await attempts.idle(advance.executionsOf(runId));
      await passes.request(runId);
    } finally {
      if (advance.modeOf(runId) === "record") advance.release(runId);
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await Promise.all([sweeper.stop(), dispatcher.stop()]);
    await passes.idle();
    await attempts.idle();
    await Promise.all([workspaces.idle(), resolving.idle()]);
  }

  let stopped: Promise<void> | undefined;
  const orchestrator: Orchestrator = {
    start() {
      sweeper.start();
      dispatcher.start();
    },
    own(runs) {
      for (const { id, claimed } of runs) advance.take(id, "carry", claimed);
    },
    reconcile,
    sweep,
    carry,
    record,
    advance: (runId) => passes.request(runId),
    waitsForAccount: (id) => attempts.waits(id),
    notify: (runId, seq) => void notify(runId, seq),
    resolveError: (runId) => resolving.lastError(runId),
    onRecorded(listener) {
      recorders.add(listener);
      return () => recorders.delete(listener);
    },
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => orchestrator.stop(),
  };
  return orchestrator;
}
