/** What goes on: a run's transitions and an execution's log, until they end. */

import type { RunEvent } from "../../contract/index.ts";
import { isFinalExecution, isFinalRun } from "../../domain/index.ts";
import {
  brandId,
  type Clock,
  type ExecutionId,
  Problem,
  type RunId,
  wakeReason,
} from "../../kernel/index.ts";
import type { LogStore } from "../../logs/index.ts";
import type { Orchestrator } from "../../orchestrator/index.ts";
import type { ExecutionStore, TransitionRow } from "../../store/index.ts";
import type { LogChunk, LogRequest } from "../client.ts";
import type { OperationsDeps } from "../deps.ts";
import { presentEvent } from "./present.ts";

/** No sooner after one reading follows the next: of changes that come together all but the first are read together. */
const gatherMs = 30;
/** A run that another process carries tells this one nothing, so it is looked at. */
const lookMs = 500;

export async function* followRun(
  deps: OperationsDeps,
  runId: RunId,
  afterSeq: number,
  signal: AbortSignal,
): AsyncIterable<readonly RunEvent[]> {
  const { store, orchestrator } = await deps.database();
  let seq = afterSeq;
  let known = -1;
  let nap = new AbortController();
  const off = orchestrator.onChange((changed, newSeq) => {
    if (changed !== runId) return;
    known = newSeq;
    nap.abort(wakeReason);
  });
  try {
    while (!signal.aborted) {
      const readAt = deps.clock.monotonic();
      const { rows, end } = await store.transitions.page(runId, seq);
      if (rows.length > 0) yield presented(rows);
      seq = rows.at(-1)?.seq ?? seq;
      // Another process may have asked. Where this one does not carry the run, nothing comes of it; the sweep asks as well.
      if (rows.some(({ cause }) => cause === "cancel_requested"))
        orchestrator.advance(runId).catch(() => undefined);
      if (end === "full") continue;
      const run = await store.runs.get(runId);
      if (run === null || (isFinalRun(run.status) && seq >= run.seq)) return;
      if (run.seq > seq) continue;
      nap = new AbortController();
      if (known <= seq) await deps.clock.sleep(lookMs, AbortSignal.any([nap.signal, signal]));
      await gather(deps.clock, readAt, signal);
    }
  } finally {
    off();
  }
}

const pieces = new WeakMap<readonly TransitionRow[], readonly RunEvent[]>();

/** The same list for the same rows, so that what is made of it can be shared as well. */
function presented(rows: readonly TransitionRow[]): readonly RunEvent[] {
  const events = pieces.get(rows) ?? rows.map(presentEvent);
  pieces.set(rows, events);
  return events;
}

async function gather(clock: Clock, readAt: number, signal: AbortSignal): Promise<void> {
  const early = readAt + gatherMs - clock.monotonic();
  if (early > 0) await clock.sleep(early, signal);
}

/** What following a log takes. */
export interface FollowLogDeps {
  readonly database: () => Promise<{
    readonly store: { readonly executions: Pick<ExecutionStore, "get"> };
    readonly orchestrator: Pick<Orchestrator, "onChange">;
  }>;
  readonly logs: Pick<LogStore, "follow">;
  readonly clock: Clock;
}

export async function* followLog(
  deps: FollowLogDeps,
  request: LogRequest,
  signal: AbortSignal,
): AsyncIterable<LogChunk> {
  const executionId = brandId<ExecutionId>(request.executionId);
  const { store } = await deps.database();
  const execution = await store.executions.get(executionId);
  if (execution === null) throw new Problem("not_found", `there is no execution ${executionId}`);
  const ended = new AbortController();
  const watch = new AbortController();
  if (!request.follow || isFinalExecution(execution.status)) ended.abort();
  else void sharedEnd(deps, executionId, AbortSignal.any([signal, watch.signal])).then(() => ended.abort());
  try {
    yield* deps.logs.follow(executionId, { offset: request.offset, signal, ended: ended.signal });
  } finally {
    watch.abort();
  }
}

interface EndWatch {
  readonly end: Promise<void>;
  readonly over: AbortController;
  followers: number;
}

const endWatches = new WeakMap<FollowLogDeps, Map<ExecutionId, EndWatch>>();

/** As `endOf`; all who follow one execution ask the database together. */
async function sharedEnd(deps: FollowLogDeps, id: ExecutionId, signal: AbortSignal): Promise<void> {
  const watches = endWatches.get(deps) ?? new Map<ExecutionId, EndWatch>();
  endWatches.set(deps, watches);
  let watch = watches.get(id);
  if (watch === undefined) {
    const over = new AbortController();
    watch = { end: endOf(deps, id, over.signal), over, followers: 0 };
    watches.set(id, watch);
  }
  const shared = watch;
  shared.followers += 1;
  const gone = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => gone.resolve(), { once: true });
  if (signal.aborted) gone.resolve();
  try {
    await Promise.race([shared.end, gone.promise]);
  } finally {
    shared.followers -= 1;
    if (shared.followers === 0) {
      watches.delete(id);
      shared.over.abort();
    }
  }
}

/** Resolves when the execution is final, or on abort. */
async function endOf(deps: FollowLogDeps, id: ExecutionId, signal: AbortSignal): Promise<void> {
  const { store, orchestrator } = await deps.database();
  let nap = new AbortController();
  let runId: RunId | null = null;
  const off = orchestrator.onChange((changed) => {
    if (runId === null || changed === runId) nap.abort(wakeReason);
  });
  try {
    while (!signal.aborted) {
      nap = new AbortController();
      const readAt = deps.clock.monotonic();
      // While the database is away the log is followed as it is; the next look asks again.
      const execution = await store.executions.get(id).catch(() => undefined);
      if (execution === null || (execution !== undefined && isFinalExecution(execution.status))) return;
      runId = execution?.pipeline_run_id ?? runId;
      await deps.clock.sleep(lookMs, AbortSignal.any([nap.signal, signal]));
      await gather(deps.clock, readAt, signal);
    }
  } finally {
    off();
  }
}
