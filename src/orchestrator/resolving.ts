/**
 * Runs that were accepted before anybody had looked at their repository. Each is resolved by one task at a time in the
 * process that carries it, without a connection in hand; what it found is written down by compare-and-set, and the run's
 * next advance goes on from there. A repository that cannot be reached now is tried again by every sweep until the run's
 * deadline; what will not change by waiting ends the run at once. Nothing here survives a crash or needs to: whoever
 * carries the run next begins anew.
 */
import type { Evidence, FailureReason } from "../domain/index.ts";
import { errorMessage, Problem, type ProblemCode, type RunId, wakeReason } from "../kernel/index.ts";
import { createTurns } from "./turns.ts";
import type { OrchestratorDeps } from "./types.ts";

/** How long after its accept a run may wait for its repository. */
export const resolveDeadlineMs = 600_000;

/** Whoever comes late, after an outage of the server, tries as long as this all the same. */
const leastMs = 60_000;

/**
 * Each is a handful of git processes and perhaps a network, and a thousand triggers at once must not be a thousand of
 * them; nor must a host that does not answer hold up the repositories of all others.
 */
const pace = { atOnce: 4, slowMs: 5_000, aside: 28 } as const;

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
  /** Monotonic milliseconds; null before it was first tried. */
  until: number | null;
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

/** @param changed told what is to be looked at */
export function createResolving(
  deps: OrchestratorDeps,
  changed: (runId: RunId) => void,
  stopping: AbortSignal,
): Resolving {
  const { store, owner, clock, log } = deps;
  const tasks = new Map<RunId, Task>();
  const turns = createTurns({ clock, ...pace });

  async function resolve(runId: RunId, task: Task): Promise<void> {
    const found = await store.runs.unresolved(runId, owner);
    if (found === null) return;
    // The run's age by the database's clock, from there on by this process's own: neither is compared with the other.
    task.until ??= clock.monotonic() + Math.max(resolveDeadlineMs - found.ageMs, leastMs);
    const over = new AbortController();
    const late = new AbortController();
    void clock.sleep(task.until - clock.monotonic(), over.signal).then(() => {
      if (!over.signal.aborted) late.abort();
    });
    const wanted = AbortSignal.any([stopping, task.abort.signal]);
    try {
      const resolved = await deps.resolver.resolve(found.run, AbortSignal.any([wanted, late.signal]));
      if (wanted.aborted) return;
      // Another writer that has moved the run meanwhile looks at it again, or the sweep does.
      if (!(await store.runs.resolve(runId, owner, found.run.seq, resolved))) return;
      tasks.delete(runId);
      changed(runId);
    } catch (error) {
      if (!wanted.aborted) fail(runId, task, late.signal.aborted ? tooSlow(task) : Problem.from(error));
    } finally {
      over.abort(wakeReason);
    }
  }

  /** Keeps what was in the way; for good, when waiting helps no more. */
  function fail(runId: RunId, task: Task, problem: Problem): void {
    const isLate = task.until !== null && clock.monotonic() >= task.until;
    const maybeLater = passing.has(problem.code) && !isLate;
    task.error = problem.message;
    log.warn(
      { pipeline_run_id: runId, error: problem.message },
      maybeLater ? "a run could not be resolved; the sweep tries again" : "a run cannot be resolved",
    );
    if (maybeLater) return;
    task.verdict = { reason: reasonOf(problem), message: sentenceOf(problem) };
    changed(runId);
  }

  async function attempt(runId: RunId, task: Task): Promise<void> {
    try {
      await turns.take(async () => {
        if (task.abort.signal.aborted || stopping.aborted) return;
        await resolve(runId, task);
      });
    } catch (error) {
      log.error(
        { pipeline_run_id: runId, error: errorMessage(error) },
        "resolving failed; the sweep tries again",
      );
    } finally {
      task.running = null;
    }
  }

  return {
    request(runId) {
      let task = tasks.get(runId);
      if (task === undefined) {
        task = {
          abort: new AbortController(),
          until: null,
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

function tooSlow({ error }: Task): Problem {
  const before = error === null ? "" : `; the try before that failed: ${error}`;
  return new Problem(
    "source_unavailable",
    `its repository could not be read within ${resolveDeadlineMs / 60_000} minutes${before}`,
    { remedy: "See that the server reaches the repository, then retry the run." },
  );
}

function reasonOf({ code }: Problem): FailureReason {
  if (code === "config_invalid" || code === "usage") return "config_invalid";
  return code === "internal" ? "internal" : "source_unavailable";
}

function sentenceOf({ message, remedy }: Problem): string {
  if (remedy === undefined) return message;
  return `${message}${/^\p{Lu}/u.test(remedy) ? "." : ";"} ${remedy}`;
}
