/**
 * Level-triggered: an advance reads the run's frontier, takes into care what is live in it, asks the planner, applies
 * the changes in one transaction that compares and sets the run's seq, then performs what was decided. The same code
 * runs on a trigger, a report, a timer, and at start after a crash.
 *
 * An apply whose answer is lost may have been committed. So what it starts is in the queue before it is sent, ends stay
 * in care until a frontier no longer shows their executions, and workspaces of jobs that ended are closed by what the
 * frontier shows.
 */
import {
  type ChangeSet,
  isFinalRun,
  isFinalStage,
  type Plan,
  type PlanMode,
  plan,
  type Snapshot,
} from "../domain/index.ts";
import type { ExecutionId, RunId } from "../kernel/index.ts";
import type { RunStanding } from "../store/index.ts";
import type { Attempts } from "./attempts.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { neverBegan } from "./outcomes.ts";
import { dueRuns, releaseOf, subjectOf, turnsToOtherSteps } from "./readings.ts";
import type { Resolving } from "./resolving.ts";
import type { OrchestratorDeps, Subject } from "./types.ts";
import type { Workspaces } from "./workspaces.ts";

export interface Advance {
  /** Looks at the run until nothing is left to decide. Not to be called twice at a time for one run. */
  pass(runId: RunId): Promise<void>;
  /**
   * From now on the run is dealt with so; `carry` is not taken back by `record`.
   * @param claimed executions that occupy their slots from now on
   */
  take(runId: RunId, mode: PlanMode, claimed?: readonly ExecutionId[]): void;
  /** Leaves the run alone: nothing in memory is about it any more. */
  release(runId: RunId): void;
  modeOf(runId: RunId): PlanMode | undefined;
  /** Whether the run is this process's, which has neither read nor written that seq of it. */
  hasMoved(runId: RunId, seq: number): boolean;
  carriesAny(): boolean;
  /**
   * The runs that are carried and at which a look may find something, by where the database has them: all but those that
   * had nothing to decide and nothing in care when they were looked at last, and have not moved since.
   */
  due(standings: readonly RunStanding[]): readonly RunId[];
  /** The run's executions that are in care or in the queue. */
  executionsOf(runId: RunId): readonly ExecutionId[];
}

interface Carried {
  mode: PlanMode;
  /** The highest that was read or written here. */
  seq: number;
  /** In the care of `attempts`, or queued. */
  readonly executions: Set<ExecutionId>;
  /** The release that it wants and another run's deploy holds. */
  waitsFor: string | null;
  /** The release that it waited for, found free, and has not taken: then it is the next one's turn. */
  turn: string | null;
  /** Its seq when a look found nothing to do and nothing to wait for but a slot; null: nobody has looked so. */
  restsAt: number | null;
}

interface Parts {
  readonly attempts: Attempts;
  readonly dispatcher: Dispatcher;
  readonly resolving: Resolving;
  readonly workspaces: Workspaces;
  readonly recorded: (changes: ChangeSet, runId: RunId) => void;
  /** Another run's turn has come. */
  readonly again: (runId: RunId) => void;
  readonly stopping: AbortSignal;
}

export function createAdvance(deps: OrchestratorDeps, parts: Parts): Advance {
  const { store, log, owner } = deps;
  const { attempts, dispatcher, resolving, workspaces, stopping } = parts;
  const carried = new Map<RunId, Carried>();
  /** Deploys whose end was recorded here: a look that began before the last of them may have seen it active. */
  let deploysEnded = 0;

  async function pass(runId: RunId): Promise<void> {
    while (!stopping.aborted) {
      const run = carried.get(runId);
      if (run === undefined) return;
      run.restsAt = null;
      const endedBefore = deploysEnded;
      const [snapshot, refusal] = await Promise.all([store.runs.frontier(runId), dispatcher.refusal()]);
      if (carried.get(runId) !== run || stopping.aborted) return;
      if (snapshot === null || isFinalRun(snapshot.run.status)) return over(runId);
      run.seq = Math.max(run.seq, snapshot.run.seq);
      takeIntoCare(run, snapshot);
      const wanted = run.waitsFor;
      run.waitsFor = snapshot.deployBlock?.outcome === "active" ? releaseOf(snapshot) : null;
      if (wanted !== null && run.waitsFor === null) run.turn = wanted;
      const decided = await decide(run, snapshot, refusal);
      if (decided === "more") continue;
      if (run.waitsFor !== null && deploysEnded !== endedBefore) continue;
      if (decided === "nothing" && isAtRest(run)) run.restsAt = snapshot.run.seq;
      return;
    }
  }

  /** It waits for a slot, or for what its row will tell by another seq. */
  function isAtRest({ waitsFor, turn, executions }: Carried): boolean {
    return waitsFor === null && turn === null && ![...executions].some((id) => attempts.has(id));
  }

  /** Brings what is known here of the run into line with what the database shows. */
  function takeIntoCare(run: Carried, snapshot: Snapshot): void {
    const live = new Set(snapshot.executions.map((execution) => execution.id));
    for (const id of run.executions) if (!live.has(id)) drop(run, id);
    const active = snapshot.jobs.find((job) => !isFinalStage(job.status));
    workspaces.closeEnded(snapshot.run.id, active?.id);
    for (const execution of snapshot.executions) {
      const subject = attempts.has(execution.id) ? null : subjectOf(snapshot, execution);
      if (subject !== null) takeOne(run, subject, snapshot.run.cancelRequested ? "canceled" : "wanted");
    }
    dispatcher.wake();
  }

  function takeOne(run: Carried, subject: Subject, wish: "wanted" | "canceled"): void {
    const { id, node } = subject.execution;
    if (node !== null && node !== owner.node) return;
    const queued = dispatcher.dequeue(id);
    if (wish === "canceled" && (node === null || queued !== undefined)) {
      // Nobody has started it, and now nobody will.
      run.executions.add(id);
      attempts.settleUnstarted(subject, neverBegan("canceled", null));
    } else if (node === null) {
      if (run.mode === "carry") enqueue(run, subject);
    } else {
      run.executions.add(id);
      dispatcher.hold(id);
      if (queued === undefined) attempts.adopt(subject);
      else attempts.start(subject);
    }
  }

  /** One decision over one snapshot. `more`: another look is due at once. `nothing`: there was nothing to do. */
  async function decide(
    run: Carried,
    snapshot: Snapshot,
    refusal: string | null,
  ): Promise<"more" | "done" | "nothing"> {
    const unresolvable = resolving.verdict(snapshot.run.id);
    const evidence = {
      ...(unresolvable === undefined ? {} : { unresolvable }),
      settled: attempts.settledOf(snapshot.executions),
      begun: attempts.begunOf(snapshot.executions),
    };
    const decision = plan(snapshot, evidence, run.mode, deps.parallelLimit);
    if (decision.changes === null) {
      perform(snapshot, decision);
      return decision.intents.length === 0 ? "nothing" : "done";
    }
    const applied = await apply(run, snapshot, decision.changes, refusal);
    if (applied === null) return (await stillOurs(snapshot.run.id)) ? "more" : "done";
    if (decision.changes.newExecutions.length > 0) run.turn = null;
    for (const { executionId } of evidence.settled) drop(run, executionId);
    perform(snapshot, decision);
    run.seq = applied.seq;
    parts.recorded(decision.changes, snapshot.run.id);
    if (decision.changes.executions.some((change) => change.outcome !== null)) wakeWaiting(snapshot);
    if (decision.intents.some((intent) => intent.kind === "finished")) {
      release(snapshot.run.id);
      return "done";
    }
    return turnsToOtherSteps(decision.changes) ? "more" : "done";
  }

  /** Saves the changes; what they start is started, or waits in the queue, when it is certain that they are saved. */
  async function apply(run: Carried, snapshot: Snapshot, changes: ChangeSet, refusal: string | null) {
    const fresh = changes.newExecutions.flatMap(
      (made) => subjectOf(snapshot, { ...made, status: "pending", node: null }) ?? [],
    );
    const ids = fresh.map((subject) => subject.execution.id);
    const starts = run.mode === "carry";
    const claim = starts && refusal === null ? dispatcher.take(ids) : [];
    if (starts) for (const subject of fresh) enqueue(run, subject);
    for (const subject of fresh) if (claim.includes(subject.execution.id)) workspaces.prefetch(subject);
    let applied: { readonly seq: number } | null;
    try {
      const context = { cause: "advance", claim };
      applied = await store.runs.apply(snapshot.run.id, owner, snapshot.run.seq, changes, context);
    } catch (error) {
      for (const id of claim) dispatcher.give(id);
      throw error;
    }
    if (applied === null) for (const id of ids) drop(run, id);
    else
      for (const id of claim) {
        const subject = dispatcher.dequeue(id);
        if (subject !== undefined) attempts.start(subject);
      }
    dispatcher.wake();
    return applied;
  }

  function perform(snapshot: Snapshot, { intents }: Plan): void {
    for (const intent of intents) {
      if (intent.kind === "resolve") resolving.request(intent.runId);
      if (intent.kind === "cancel") attempts.cancel(intent.executionId);
      if (intent.kind === "close") {
        const job = snapshot.jobs.find((candidate) => candidate.id === intent.jobId);
        if (job !== undefined) workspaces.close(snapshot.run.id, job);
      }
    }
  }

  /** Who waits for a release is told when its deploy ends here; that it ended elsewhere is found by the sweep. */
  function wakeWaiting(snapshot: Snapshot): void {
    const release = releaseOf(snapshot);
    if (release === null) return;
    deploysEnded += 1;
    wakeNext(release);
  }

  /** One at a time, who has waited longest: if all of them looked, n deploys would be n² looks. */
  function wakeNext(release: string): void {
    const [next] = [...carried].find(([, { waitsFor }]) => waitsFor === release) ?? [];
    if (next !== undefined) parts.again(next);
  }

  async function stillOurs(runId: RunId): Promise<boolean> {
    const run = await store.runs.get(runId);
    if (run?.owner_node === owner.node && run.owner_epoch === owner.epoch) return true;
    log.warn({ pipeline_run_id: runId }, "another process carries this run now; this one leaves it");
    workspaces.forget(runId);
    release(runId);
    return false;
  }

  function over(runId: RunId): void {
    workspaces.closeEnded(runId, undefined);
    release(runId);
  }

  function enqueue(run: Carried, subject: Subject): void {
    run.executions.add(subject.execution.id);
    dispatcher.enqueue(subject);
  }

  function drop(run: Carried, id: ExecutionId): void {
    run.executions.delete(id);
    attempts.forget(id);
    dispatcher.dequeue(id);
    dispatcher.give(id);
  }

  function release(runId: RunId): void {
    const run = carried.get(runId);
    if (run === undefined) return;
    carried.delete(runId);
    resolving.forget(runId);
    for (const id of run.executions) drop(run, id);
    const unused = run.turn ?? run.waitsFor;
    if (unused !== null) wakeNext(unused);
  }

  return {
    pass,
    take(runId, mode, claimed = []) {
      for (const id of claimed) dispatcher.hold(id);
      const run = carried.get(runId);
      for (const id of claimed) run?.executions.add(id);
      if (run === undefined)
        carried.set(runId, {
          mode,
          seq: 0,
          executions: new Set(claimed),
          waitsFor: null,
          turn: null,
          restsAt: null,
        });
      else if (mode === "carry" && run.mode !== mode) {
        run.mode = mode;
        run.restsAt = null;
      }
    },
    release,
    modeOf: (runId) => carried.get(runId)?.mode,
    hasMoved: (runId, seq) => (carried.get(runId)?.seq ?? seq) < seq,
    carriesAny: () => carried.size > 0,
    due: (standings) => dueRuns(carried, standings),
    executionsOf: (runId) => [...(carried.get(runId)?.executions ?? [])],
  };
}
