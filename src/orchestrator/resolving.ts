/**
 * Runs that were accepted before anybody had looked at their repository. Each is resolved by one task at a time in the
 * process that carries it, without a connection in hand; what it found is written down by compare-and-set, and the run's
 * next advance goes on from there. A repository that cannot be reached now is tried again by every sweep until the run's
 * deadline; what will not change by waiting ends the run at once. Nothing here survives a crash or needs to: whoever
 * carries the run next begins anew.
 */
import type { Evidence, FailureReason } from "../domain/index.ts";
import { errorMessage, Problem, type ProblemCode, type RunId } from "../kernel/index.ts";
import type { OrchestratorDeps } from "./types.ts";

/** How long a process tries to reach a run's repository: by its own clock, for the database's may be another. */
export const resolveDeadlineMs = 600_000;

/**
 * Resolutions at a time: each is a handful of git processes and perhaps a network, and a thousand triggers at once must
 * not be a thousand of them.
 */
const atOnce = 4;

export interface Resolving {
  /** Begins to resolve the run, unless that is under way or has failed for good. */
  request(runId: RunId): void;
  /** What is known to be in the way for good. */
  verdict(runId: RunId): Evidence["unresolvable"];
  /** What was in the way the last time, for `why`. */
  lastError(runId: RunId): string | null;
  /** The run is not this process's concern any more: what is under way is ended. */
  forget(runId: RunId): void;
  idle(): Promise<void>;
}

interface Task {
  readonly abort: AbortController;
  /** Monotonic milliseconds. */
  readonly since: number;
  running: Promise<void> | null;
  error: string | null;
  verdict: Evidence["unresolvable"];
}

/** Waiting may help against these alone. */
const passing: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "source_unavailable",
  "storage_failed",
  "database_unavailable",
]);

export function createResolving(
  deps: OrchestratorDeps,
  changed: (runId: RunId) => void,
  stopping: AbortSignal,
): Resolving {
  const { store, owner, clock, log } = deps;
  const tasks = new Map<RunId, Task>();
  const waiting: (() => void)[] = [];
  let busy = 0;

  async function resolve(runId: RunId, task: Task): Promise<void> {
    const signal = AbortSignal.any([stopping, task.abort.signal]);
    const run = await store.runs.get(runId);
    if (run === null || signal.aborted) return;
    if (run.owner_node !== owner.node || run.owner_epoch !== owner.epoch) return;
    try {
      const resolved = await deps.resolver.resolve(run, signal);
      if (signal.aborted) return;
      // Null: somebody has moved the run meanwhile, and it is looked at again by whoever did, or by the sweep.
      if ((await store.runs.resolve(runId, owner, run.seq, resolved)) === null) return;
      tasks.delete(runId);
      changed(runId);
    } catch (error) {
      if (signal.aborted) return;
      const problem = Problem.from(error);
      task.error = problem.message;
      const late = clock.monotonic() - task.since >= resolveDeadlineMs;
      log.warn(
        { pipeline_run_id: runId, error: problem.message },
        passing.has(problem.code) && !late
          ? "a run could not be resolved; the sweep tries again"
          : "a run cannot be resolved",
      );
      if (passing.has(problem.code) && !late) return;
      task.verdict = { reason: reasonOf(problem), message: sentenceOf(problem) };
      changed(runId);
    }
  }

  /** Resolves when it is this one's turn; the oldest goes first. */
  async function turn(): Promise<void> {
    if (busy < atOnce) {
      busy += 1;
      return;
    }
    const { promise, resolve: go } = Promise.withResolvers<void>();
    waiting.push(go);
    await promise;
  }

  /** Hands the turn on, or gives it back. */
  function pass(): void {
    const next = waiting.shift();
    if (next === undefined) busy -= 1;
    else next();
  }

  async function attempt(runId: RunId, task: Task): Promise<void> {
    await turn();
    try {
      if (!task.abort.signal.aborted && !stopping.aborted) await resolve(runId, task);
    } catch (error) {
      log.error(
        { pipeline_run_id: runId, error: errorMessage(error) },
        "resolving failed; the sweep tries again",
      );
    } finally {
      task.running = null;
      pass();
    }
  }

  return {
    request(runId) {
      let task = tasks.get(runId);
      if (task === undefined) {
        task = {
          abort: new AbortController(),
          since: clock.monotonic(),
          running: null,
          error: null,
          verdict: undefined,
        };
        tasks.set(runId, task);
      }
      if (task.verdict === undefined) task.running ??= attempt(runId, task);
    },
    verdict: (runId) => tasks.get(runId)?.verdict,
    lastError: (runId) => tasks.get(runId)?.error ?? null,
    forget(runId) {
      tasks.get(runId)?.abort.abort();
      tasks.delete(runId);
    },
    async idle() {
      await Promise.all([...tasks.values()].map((task) => task.running));
    },
  };
}

function reasonOf({ code }: Problem): FailureReason {
  if (code === "config_invalid" || code === "usage") return "config_invalid";
  return code === "internal" ? "internal" : "source_unavailable";
}

function sentenceOf({ message, remedy }: Problem): string {
  return remedy === undefined ? message : `${message}; ${remedy}`;
}
