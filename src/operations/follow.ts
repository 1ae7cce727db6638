/** What goes on: a run's transitions and an execution's log, until they end. */
import { isFinalExecution, isFinalRun } from "../domain/index.ts";
import { brandId, type ExecutionId, Problem, type RunId } from "../kernel/index.ts";
import type { LogChunk, LogRequest } from "./client.ts";
import type { OperationsDeps } from "./deps.ts";
import { presentEvent } from "./present.ts";
import type { RunEvent } from "./wire.ts";

/** Transitions fetched at once. */
const pageSize = 500;
/** Changes that come together are read together; a person does not see the difference. */
const gatherMs = 30;
/** A run that another process carries tells this one nothing, so it is looked at. */
const lookMs = 500;

export async function* followRun(
  deps: OperationsDeps,
  runId: RunId,
  afterSeq: number,
  signal: AbortSignal,
): AsyncIterable<RunEvent> {
  const { store, orchestrator } = await deps.database();
  let seq = afterSeq;
  let known = -1;
  let nap = new AbortController();
  const off = orchestrator.onChange((changed, newSeq) => {
    if (changed !== runId) return;
    known = newSeq;
    nap.abort();
  });
  try {
    while (!signal.aborted) {
      const rows = await store.transitions.after(runId, seq, pageSize);
      for (const row of rows) yield presentEvent(row);
      seq = rows.at(-1)?.seq ?? seq;
      // Another process may have asked. Where this one does not carry the run, nothing comes of it; the sweep asks as well.
      if (rows.some(({ cause }) => cause === "cancel_requested"))
        orchestrator.advance(runId).catch(() => undefined);
      if (rows.length === pageSize) continue;
      const run = await store.runs.get(runId);
      if (run === null || (isFinalRun(run.status) && seq >= run.seq)) return;
      if (run.seq > seq) continue;
      nap = new AbortController();
      if (known <= seq) await deps.clock.sleep(lookMs, AbortSignal.any([nap.signal, signal]));
      await deps.clock.sleep(gatherMs, signal);
    }
  } finally {
    off();
  }
}

export async function* followLog(
  deps: OperationsDeps,
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
  else void endOf(deps, executionId, AbortSignal.any([signal, watch.signal])).then(() => ended.abort());
  try {
    yield* deps.logs.follow(executionId, { offset: request.offset, signal, ended: ended.signal });
  } finally {
    watch.abort();
  }
}

/** Resolves when the execution is final, or on abort. */
async function endOf(deps: OperationsDeps, id: ExecutionId, signal: AbortSignal): Promise<void> {
  const { store, orchestrator } = await deps.database();
  let nap = new AbortController();
  const off = orchestrator.onChange(() => nap.abort());
  try {
    while (!signal.aborted) {
      nap = new AbortController();
      const execution = await store.executions.get(id);
      if (execution === null || isFinalExecution(execution.status)) return;
      await deps.clock.sleep(lookMs, AbortSignal.any([nap.signal, signal]));
      await deps.clock.sleep(gatherMs, signal);
    }
  } finally {
    off();
  }
}
