/** Followers of a run's transitions and of an execution's log. The change feed wakes them; a slow sweep is the guarantee. */
import type { RunEvent } from "../../contract/index.ts";
import { finalStatesOf, isFinalExecution, isFinalRun } from "../../domain/index.ts";
import {
  brandId,
  type Clock,
  type ExecutionId,
  errorMessage,
  type Logger,
  Problem,
  type RunId,
  wakeReason,
} from "../../kernel/index.ts";
import type { LogStore } from "../../logs/index.ts";
import type { ChangeFeed, Store, TransitionRow } from "../../store/index.ts";
import type { LogChunk, LogRequest } from "../client.ts";
import { presentEvent } from "./present.ts";

/** Minimum time between two readings: the first change is read at once, changes that follow closely are read together. */
const gatherMs = 30;
const sweepMs = 5_000;
/** After a reading that failed. */
const retryMs = 1_000;

const runEnds: ReadonlySet<string> = new Set(finalStatesOf("run"));
const executionEnds: ReadonlySet<string> = new Set(finalStatesOf("execution"));

export interface FollowDeps {
  readonly database: () => Promise<{
    readonly store: {
      readonly runs: Pick<Store["runs"], "get">;
      readonly executions: Pick<Store["executions"], "get">;
      readonly transitions: Pick<Store["transitions"], "page">;
    };
    readonly changes: Pick<ChangeFeed, "subscribe">;
  }>;
  readonly logs: Pick<LogStore, "follow">;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function* followRun(
  deps: FollowDeps,
  runId: RunId,
  afterSeq: number,
  signal: AbortSignal,
): AsyncIterable<readonly RunEvent[]> {
  for await (const rows of transitionsOf(deps, runId, afterSeq, signal)) yield presented(rows);
}

/** Yields the run's transitions after that seq as they are recorded; ends with the run, or on abort. */
async function* transitionsOf(
  deps: FollowDeps,
  runId: RunId,
  afterSeq: number,
  signal: AbortSignal,
): AsyncIterable<readonly TransitionRow[]> {
  const { store, changes } = await deps.database();
  let seq = afterSeq;
  let announced = 0;
  let isOver = false;
  let nap = new AbortController();
  const wake = (upTo: number) => {
    announced = Math.max(announced, upTo);
    nap.abort(wakeReason);
  };
  const unsubscribe = changes.subscribe({
    run: (changed, upTo) => (changed === runId ? wake(upTo) : undefined),
    gap: () => wake(Number.POSITIVE_INFINITY),
  });
  try {
    while (!signal.aborted) {
      if (announced === Number.POSITIVE_INFINITY) announced = 0;
      const readAt = deps.clock.monotonic();
      const { rows, end } = await store.transitions.page(runId, seq);
      if (rows.length > 0) yield rows;
      seq = rows.at(-1)?.seq ?? seq;
      isOver ||= rows.some(({ entity, to_state }) => entity === "run" && runEnds.has(to_state));
      if (end === "full") continue;
      if (isOver) return;
      if (rows.length === 0) {
        const run = await store.runs.get(runId);
        if (run === null || (isFinalRun(run.status) && seq >= run.seq)) return;
        if (run.seq > seq) continue;
      }
      nap = new AbortController();
      if (announced <= seq) await deps.clock.sleep(sweepMs, AbortSignal.any([nap.signal, signal]));
      const early = readAt + gatherMs - deps.clock.monotonic();
      if (early > 0) await deps.clock.sleep(early, signal);
    }
  } finally {
    unsubscribe();
  }
}

const pieces = new WeakMap<readonly TransitionRow[], readonly RunEvent[]>();

/** The same list for the same rows, so that what is made of it can be shared as well. */
function presented(rows: readonly TransitionRow[]): readonly RunEvent[] {
  const events = pieces.get(rows) ?? rows.map(presentEvent);
  pieces.set(rows, events);
  return events;
}

export async function* followLog(
  deps: FollowDeps,
  request: LogRequest,
  signal: AbortSignal,
): AsyncIterable<LogChunk> {
  const executionId = brandId<ExecutionId>(request.executionId);
  const { store } = await deps.database();
  const execution = await store.executions.get(executionId);
  if (execution === null) throw new Problem("not_found", `There is no execution ${executionId}.`);
  const ended = new AbortController();
  const watch = new AbortController();
  if (!request.follow || isFinalExecution(execution.status)) ended.abort();
  else {
    const watching = AbortSignal.any([signal, watch.signal]);
    void waitForEnd(deps, execution.pipeline_run_id, executionId, watching).then(() => ended.abort());
  }
  try {
    yield* deps.logs.follow(executionId, { offset: request.offset, signal, ended: ended.signal });
  } finally {
    watch.abort();
  }
}

/** Resolves when the execution is final, or on abort. While the database is away it tries again. */
async function waitForEnd(
  deps: FollowDeps,
  runId: RunId,
  id: ExecutionId,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { store } = await deps.database();
      // The run first: an end that the execution does not show yet has a higher seq.
      const run = await store.runs.get(runId);
      const execution = await store.executions.get(id);
      if (run === null || execution === null || isFinalExecution(execution.status)) return;
      for await (const rows of transitionsOf(deps, runId, run.seq, signal))
        if (rows.some((row) => row.entity_id === id && executionEnds.has(row.to_state))) return;
      return;
    } catch (error) {
      deps.log.debug({ execution_id: id, error: errorMessage(error) }, "the end of a log is not known");
      await deps.clock.sleep(retryMs, signal);
    }
  }
}
