/**
 * Resolves the source of runs that were accepted before their repository was read. Each run is resolved by one task at a
 * time, without a database connection; the resolution is recorded by compare-and-set, and the run's next reconcile
 * continues from there. A repository that is unavailable is tried again until the run's deadline; other failures end the
 * run at once. Nothing here survives a crash or needs to: the next owner of the run starts over.
 */
import type { Evidence, FailureReason } from "../../domain/index.ts";
import { errorMessage, Problem, type ProblemCode, type RunId, wakeReason } from "../../kernel/index.ts";
import { createConcurrencyLimiter } from "../scheduling/concurrency-limiter.ts";
import type { OrchestratorDeps } from "../types.ts";

/** Milliseconds after its accept for which a run may wait for its repository. */
export const resolveDeadlineMs = 600_000;

/** Minimum time for trying, also after an outage of the server. */
const minMs = 60_000;

const retryMs = 15_000;

/**
 * A resolution is a handful of git processes and perhaps a network: a thousand triggers at once must not start a thousand
 * of them, and a host that does not answer must not hold up the repositories of all others.
 */
const concurrency = { max: 4, slowMs: 5_000, maxSlow: 28 } as const;

export interface SourceResolution {
  /** Begins to resolve the run, unless that is running or has failed finally. */
  request(runId: RunId): void;
  /** The final failure; undefined: there is none. */
  failureOf(runId: RunId): Evidence["unresolvable"];
  /** Message of the last failure, for `why`. */
  lastError(runId: RunId): string | null;
  /** Ends the task of a run that is no longer tracked. */
  cancel(runId: RunId): void;
  /** Resolves when no task is running. */
  idle(): Promise<void>;
}

interface Task {
  readonly abort: AbortController;
  /** Monotonic milliseconds; null before the first try. */
  until: number | null;
  running: Promise<void> | null;
  error: string | null;
  failure: Evidence["unresolvable"];
}

/** `changed`: there is something to reconcile. `failed`: try again. `over`: somebody else has moved the run, or it is not wanted. */
type Outcome = "changed" | "failed" | "over";

/** Failures that waiting may help against. */
const transient: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "source_unavailable",
  "storage_failed",
  "database_unavailable",
]);

export interface ResolutionEvents {
  /** There is something to reconcile. */
  enqueue(runId: RunId): void;
  enqueueAfter(runId: RunId, ms: number): void;
}

export function createSourceResolution(
  deps: OrchestratorDeps,
  events: ResolutionEvents,
  stopping: AbortSignal,
): SourceResolution {
  const { store, owner, clock, log } = deps;
  const tasks = new Map<RunId, Task>();
  const limiter = createConcurrencyLimiter({ clock, ...concurrency });

  async function resolve(runId: RunId, task: Task): Promise<Outcome> {
    const found = await store.runs.unresolved(runId, owner);
    if (found === null) return "over";
    // The run's age by the database's clock, from there on by this process's own: neither is compared with the other.
    task.until ??= clock.monotonic() + Math.max(resolveDeadlineMs - found.ageMs, minMs);
    const over = new AbortController();
    const late = new AbortController();
    void clock.sleep(task.until - clock.monotonic(), over.signal).then(() => {
      if (!over.signal.aborted) late.abort();
    });
    const wanted = AbortSignal.any([stopping, task.abort.signal]);
    try {
      const resolved = await deps.resolver.resolve(found.run, AbortSignal.any([wanted, late.signal]));
      if (wanted.aborted) return "over";
      if (!(await store.runs.resolve(runId, owner, found.run.seq, resolved))) return "over";
      tasks.delete(runId);
      return "changed";
    } catch (error) {
      if (wanted.aborted) return "over";
      return fail(runId, task, late.signal.aborted ? tooSlow(task) : Problem.from(error));
    } finally {
      over.abort(wakeReason);
    }
  }

  /** Keeps the failure: as final when waiting no longer helps. */
  function fail(runId: RunId, task: Task, problem: Problem): Outcome {
    const isLate = task.until !== null && clock.monotonic() >= task.until;
    const isTransient = transient.has(problem.code) && !isLate;
    task.error = problem.message;
    log.warn(
      { pipeline_run_id: runId, error: problem.message },
      isTransient ? "A run could not be resolved and is tried again." : "A run cannot be resolved.",
    );
    if (isTransient) return "failed";
    task.failure = { reason: reasonOf(problem), message: sentenceOf(problem) };
    return "changed";
  }

  async function run(runId: RunId, task: Task): Promise<void> {
    let outcome: Outcome = "over";
    try {
      await limiter.run(async () => {
        if (!task.abort.signal.aborted && !stopping.aborted) outcome = await resolve(runId, task);
      });
    } catch (error) {
      const fields = { pipeline_run_id: runId, error: errorMessage(error) };
      log.error(fields, "The resolution of a run failed and is tried again.");
      outcome = "failed";
    }
    // First: the reconcile that follows may request the next try.
    task.running = null;
    finish(runId, outcome);
  }

  function finish(runId: RunId, outcome: Outcome): void {
    if (outcome === "changed") events.enqueue(runId);
    if (outcome === "failed") events.enqueueAfter(runId, retryMs);
  }

  return {
    request(runId) {
      let task = tasks.get(runId);
      if (task === undefined) {
        task = { abort: new AbortController(), until: null, running: null, error: null, failure: undefined };
        tasks.set(runId, task);
      }
      if (task.failure === undefined) task.running ??= run(runId, task);
    },
    failureOf: (runId) => tasks.get(runId)?.failure,
    lastError: (runId) => tasks.get(runId)?.error ?? null,
    cancel(runId) {
      tasks.get(runId)?.abort.abort();
      tasks.delete(runId);
    },
    async idle() {
      await Promise.all([...tasks.values()].map(({ running }) => running));
    },
  };
}

function tooSlow({ error }: Task): Problem {
  const before = error === null ? "" : `; the previous try failed: ${error.replace(/\.$/, "")}`;
  return new Problem(
    "source_unavailable",
    `The repository could not be read within ${resolveDeadlineMs / 60_000} minutes${before}.`,
    { remedy: "See that the server reaches the repository, then retry the run." },
  );
}

function reasonOf({ code }: Problem): FailureReason {
  if (code === "config_invalid" || code === "usage") return "config_invalid";
  return code === "internal" ? "internal" : "source_unavailable";
}

function sentenceOf({ message, remedy }: Problem): string {
  if (remedy === undefined) return message;
  return `${message}${message.endsWith(".") ? "" : /^\p{Lu}/u.test(remedy) ? "." : ";"} ${remedy}`;
}
