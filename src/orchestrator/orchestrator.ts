/**
 * Level-triggered: `advance(run)` reads the frontier, asks the planner, applies the changes in one transaction that
 * compares and sets the run's seq, then performs the intents. The same code runs on a trigger, a report, a timer, and
 * at start after a crash.
 */
import {
  type ExecutionView,
  type Intent,
  isFinalRun,
  type Plan,
  type PlanMode,
  plan,
  type Snapshot,
} from "../domain/index.ts";
import { createLoop, type ExecutionId, errorMessage, type RunId } from "../kernel/index.ts";
import { createAttempts } from "./attempts.ts";
import { createCoalescer } from "./coalescer.ts";
import { neverBegan } from "./outcomes.ts";
import { createSlots } from "./slots.ts";
import type { Attempt, Orchestrator, OrchestratorDeps } from "./types.ts";
import { createWorkspaces } from "./workspaces.ts";

/** The guarantee behind every hint that may be lost. */
const sweepMs = 15_000;

interface Carried {
  readonly mode: PlanMode;
  /** Executions that were there before this process looked: they are asked about, never submitted. */
  adopted: boolean;
}

export function createOrchestrator(deps: OrchestratorDeps): Orchestrator {
  const { store, log, owner } = deps;
  const stopping = new AbortController();
  const carried = new Map<RunId, Carried>();
  const listeners = new Set<(runId: RunId, seq: number) => void>();
  const slots = createSlots(deps.slots);
  const workspaces = createWorkspaces(deps);
  /** Starts of executions that wait for a slot. */
  const waiting = new Map<ExecutionId, () => void>();
  /** Claimed by the dispatcher between the commit that made them and the start that follows it here. */
  const claimedEarly = new Set<ExecutionId>();
  const closing = new Set<Promise<void>>();
  const coalescer = createCoalescer<RunId>(pass);
  const attempts = createAttempts(deps, {
    signal: stopping.signal,
    changed: (runId) => wake(runId),
    ended(id) {
      slots.give(id);
      if (waiting.size > 0) dispatcher.wake();
    },
  });
  const sweeper = createLoop({
    clock: deps.clock,
    everyMs: sweepMs,
    onError: (error) =>
      log.error({ error: errorMessage(error) }, "the sweep failed; the next one tries again"),
    async runOnce() {
      attempts.relist();
      for (const runId of carried.keys()) await coalescer.request(runId);
    },
  });
  const dispatcher = createLoop({
    clock: deps.clock,
    everyMs: sweepMs,
    onError: (error) =>
      log.error({ error: errorMessage(error) }, "claiming failed; the next pass tries again"),
    runOnce: dispatch,
  });

  function wake(runId: RunId): void {
    if (stopping.signal.aborted) return;
    coalescer.request(runId).catch((error: unknown) => {
      log.error(
        { pipeline_run_id: runId, error: errorMessage(error) },
        "an advance failed; the sweep tries again",
      );
    });
  }

  async function pass(runId: RunId): Promise<void> {
    while (!stopping.signal.aborted) {
      const mode = carried.get(runId);
      if (mode === undefined) return;
      const snapshot = await store.runs.frontier(runId);
      if (snapshot === null || isFinalRun(snapshot.run.status)) return forget(runId, snapshot?.run.seq ?? 0);
      adopt(runId, snapshot, mode);
      const again = await decideAndApply(runId, snapshot, mode.mode);
      if (!again) return;
    }
  }

  /** One decision over one snapshot; true when another look is due at once. */
  async function decideAndApply(runId: RunId, snapshot: Snapshot, mode: PlanMode): Promise<boolean> {
    const evidence = {
      settled: [...attempts.settledOf(snapshot.executions), ...canceledInQueue(snapshot)],
      begun: attempts.begunOf(snapshot.executions),
    };
    const decision = plan(snapshot, evidence, mode);
    if (decision.changes === null) {
      perform(runId, snapshot, decision, []);
      return false;
    }
    const fresh = decision.changes.newExecutions.map((execution) => execution.id);
    const claim = mode === "carry" ? slots.take(fresh) : [];
    const context = { cause: "advance", claim };
    const applied = await store.runs.apply(runId, owner, snapshot.run.seq, decision.changes, context);
    if (applied === null) {
      for (const id of claim) slots.give(id);
      return stillOurs(runId);
    }
    for (const { executionId } of evidence.settled) {
      attempts.forget(executionId);
      waiting.delete(executionId);
    }
    perform(runId, snapshot, decision, claim);
    for (const listener of listeners) listener(runId, applied.seq);
    if (decision.intents.some((intent) => intent.kind === "finished")) forget(runId, applied.seq);
    return decision.changes.jobs.length > 0 || decision.changes.newJobs.length > 0;
  }

  async function stillOurs(runId: RunId): Promise<boolean> {
    const run = await store.runs.get(runId);
    if (run?.owner_node === owner.node && run.owner_epoch === owner.epoch) return true;
    log.warn({ pipeline_run_id: runId }, "another process carries this run now; this one leaves it");
    carried.delete(runId);
    return false;
  }

  /** What is queued and wanted by nobody any more ends without an executor. */
  function canceledInQueue(snapshot: Snapshot) {
    if (!snapshot.run.cancelRequested) return [];
    return snapshot.executions
      .filter((execution) => execution.node === null && execution.status === "pending")
      .map((execution) => ({
        executionId: execution.id,
        verdict: { state: "canceled", reason: "canceled", message: null } as const,
        outcome: neverBegan("canceled", null),
        artifacts: [],
      }));
  }

  function perform(runId: RunId, snapshot: Snapshot, decision: Plan, claimed: readonly ExecutionId[]): void {
    const held = new Set(claimed);
    for (const intent of decision.intents) performOne(runId, snapshot, decision, intent, held);
  }

  function performOne(
    runId: RunId,
    snapshot: Snapshot,
    decision: Plan,
    intent: Intent,
    claimed: ReadonlySet<ExecutionId>,
  ): void {
    if (intent.kind === "cancel") attempts.cancel(intent.executionId);
    if (intent.kind === "submit") {
      const fresh = decision.changes?.newExecutions.find((execution) => execution.id === intent.executionId);
      if (fresh === undefined) return;
      const node = claimed.has(fresh.id) ? owner.node : null;
      const view: ExecutionView = { ...fresh, status: "pending", node };
      const prepared = prepare(runId, snapshot, view);
      if (prepared === null) return;
      const start = () => attempts.submit(prepared.attempt, prepared.open);
      if (node === null && !claimedEarly.delete(fresh.id)) waiting.set(fresh.id, start);
      else start();
    }
    if (intent.kind === "close") {
      const job = snapshot.jobs.find((candidate) => candidate.id === intent.jobId);
      if (job === undefined) return;
      const promise = workspaces
        .close(job)
        .catch((error: unknown) => {
          log.error(
            { pipeline_run_id: runId, job_id: job.id, error: errorMessage(error) },
            "a workspace could not be closed",
          );
        })
        .finally(() => closing.delete(promise));
      closing.add(promise);
    }
  }

  function prepare(runId: RunId, snapshot: Snapshot, execution: ExecutionView) {
    const step = snapshot.steps.find((candidate) => candidate.id === execution.stepId);
    const job = snapshot.jobs.find(
      (candidate) => candidate.status === "pending" || candidate.status === "running",
    );
    if (step === undefined || job === undefined) return null;
    const { id: executionId, stepId, attempt } = execution;
    const care: Attempt = {
      executionId,
      runId,
      jobType: job.type,
      plan: step.plan,
      handle: { executionId, stepId, attempt, jobId: job.id, jobAttempt: job.attempt },
      spec: null,
      begunAt: null,
      cancelRequested: false,
      settling: false,
      settled: null,
      abort: new AbortController(),
    };
    return {
      attempt: care,
      open: () => workspaces.open(runId, job, step, execution),
      describe: () => workspaces.describe(runId, job, step, execution),
    };
  }

  /** Takes live executions of an earlier process into care: claimed ones are asked about, queued ones queue here. */
  function adopt(runId: RunId, snapshot: Snapshot, mode: Carried): void {
    if (mode.adopted) return;
    mode.adopted = true;
    for (const execution of snapshot.executions) {
      if (attempts.get(execution.id) !== undefined) continue;
      const prepared = prepare(runId, snapshot, execution);
      if (prepared === null) continue;
      if (execution.node !== null) {
        slots.take([execution.id]);
        attempts.adopt(prepared.attempt, prepared.describe);
      } else if (mode.mode === "carry") {
        waiting.set(execution.id, () => attempts.submit(prepared.attempt, prepared.open));
        dispatcher.wake();
      }
    }
  }

  async function dispatch(): Promise<void> {
    if (waiting.size === 0 || slots.free === 0) return;
    const refusal = await deps.executor.refusal();
    if (refusal !== null) return log.warn({ reason: refusal }, "nothing is claimed for now");
    const claimed = await store.executions.claim(owner, slots.free);
    slots.take(claimed);
    for (const id of claimed) {
      const start = waiting.get(id);
      if (start === undefined) claimedEarly.add(id);
      start?.();
      waiting.delete(id);
    }
  }

  function forget(runId: RunId, seq: number): void {
    if (!carried.delete(runId)) return;
    for (const listener of listeners) listener(runId, seq);
  }

  async function take(runId: RunId, mode: PlanMode): Promise<void> {
    if (!carried.has(runId)) carried.set(runId, { mode, adopted: false });
    await coalescer.request(runId);
  }

  const orchestrator: Orchestrator = {
    start() {
      sweeper.start();
      dispatcher.start();
    },
    carry: (runId) => take(runId, "carry"),
    async record(runId) {
      await take(runId, "record");
      await attempts.idle();
      await coalescer.request(runId);
      carried.delete(runId);
    },
    advance: (runId) => coalescer.request(runId),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      stopping.abort();
      await Promise.all([sweeper.stop(), dispatcher.stop()]);
      await attempts.idle();
      await coalescer.idle();
      await Promise.allSettled([...closing]);
    },
    [Symbol.asyncDispose]: () => orchestrator.stop(),
  };
  return orchestrator;
}
