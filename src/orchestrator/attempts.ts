/**
 * The attempts in this process's care: from submit (or adoption after a restart) to a settled end. What is known here
 * is never the truth, only a way not to ask twice; the next process asks the executor anew.
 */
import type { ExecutionSpec, ExecutionView, Outcome, SettledExecution } from "../domain/index.ts";
import { type ExecutionId, errorMessage, Problem, type RunId } from "../kernel/index.ts";
import { collectOutputs } from "./collect.ts";
import { neverBegan, outcomeOfProblem } from "./outcomes.ts";
import type { Attempt, OrchestratorDeps } from "./types.ts";

/** A begin is written by itself only when the attempt is still running after this long; else with its end. */
const beginDelayMs = 150;

export interface Attempts {
  get(id: ExecutionId): Attempt | undefined;
  /** Starts a new attempt: opens its job's workspace, then submits. Failures become its outcome. */
  submit(attempt: Attempt, open: () => Promise<ExecutionSpec>): void;
  /** Finds out what became of an attempt that an earlier process had in its care. */
  adopt(attempt: Attempt, open: () => Promise<ExecutionSpec>): void;
  /** Takes note of a claimless attempt that waits for a slot. */
  hold(attempt: Attempt): void;
  cancel(id: ExecutionId): void;
  settledOf(executions: readonly ExecutionView[]): readonly SettledExecution[];
  begunOf(executions: readonly ExecutionView[]): readonly { executionId: ExecutionId; begunAt: Date }[];
  forget(id: ExecutionId): void;
  /** Asks the executor about every attempt again. */
  relist(): void;
  /** Resolves when no work of an attempt is under way. */
  idle(): Promise<void>;
}

export function createAttempts(
  deps: OrchestratorDeps,
  events: { changed(runId: RunId): void; ended(id: ExecutionId): void; signal: AbortSignal },
): Attempts {
  const attempts = new Map<ExecutionId, Attempt>();
  const work = new Set<Promise<void>>();

  function track(attempt: Attempt, task: () => Promise<void>): void {
    const promise = task()
      .catch((error: unknown) => {
        if (events.signal.aborted) return;
        deps.log.error({ ...fields(attempt), error: errorMessage(error) }, "an attempt's care failed");
        finish(attempt, outcomeOfProblem(Problem.from(error), attempt.begunAt));
      })
      .finally(() => work.delete(promise));
    work.add(promise);
  }

  function finish(attempt: Attempt, outcome: Outcome, collected: Parameters<typeof conclude>[2] = []): void {
    if (attempt.settled !== null) return;
    conclude(attempt, outcome, collected);
    events.ended(attempt.executionId);
    events.changed(attempt.runId);
  }

  function conclude(
    attempt: Attempt,
    outcome: Outcome,
    collected: Awaited<ReturnType<typeof collectOutputs>>,
  ): void {
    const inator = deps.inators.get(attempt.jobType);
    if (inator === undefined)
      throw new Problem("internal", `no inator is registered for ${attempt.jobType} jobs`);
    const { verdict, artifacts } = inator.settle(attempt.plan, outcome, collected);
    attempt.settled = { executionId: attempt.executionId, verdict, outcome, artifacts };
    attempt.abort.abort();
  }

  async function look(attempt: Attempt): Promise<void> {
    if (attempt.settling || attempt.settled !== null) return;
    const status = await deps.executor.status(attempt.handle);
    if (attempt.settling || attempt.settled !== null || events.signal.aborted) return;
    if (status.state === "ended") return settle(attempt, status.outcome);
    if (status.state === "begun") noteBegin(attempt, status.begunAt);
    if (status.state === "unknown")
      finish(attempt, {
        ...neverBegan(
          "executor_lost",
          "the executor has no trace of this attempt, so it cannot be told whether it began",
        ),
        began: true,
        workspaceWhole: false,
      });
  }

  async function settle(attempt: Attempt, outcome: Outcome): Promise<void> {
    attempt.settling = true;
    const inator = deps.inators.get(attempt.jobType);
    const wanted = inator?.wanted(attempt.plan, outcome) ?? [];
    if (wanted.length === 0) return finish(attempt, outcome);
    if (attempt.spec === null) throw new Problem("internal", "an attempt ended before its job was open");
    const found = await deps.executor.outputs(attempt.spec, wanted);
    finish(attempt, outcome, await collectOutputs(deps, found, events.signal));
  }

  function noteBegin(attempt: Attempt, begunAt: Date): void {
    if (attempt.begunAt !== null) return;
    attempt.begunAt = begunAt;
    armTimeout(attempt, begunAt);
    void deps.clock.sleep(beginDelayMs, attempt.abort.signal).then(() => {
      if (attempt.settled === null && !events.signal.aborted) events.changed(attempt.runId);
    });
  }

  function armTimeout(attempt: Attempt, begunAt: Date): void {
    const left = begunAt.getTime() + attempt.plan.timeoutSeconds * 1000 - deps.clock.now().getTime();
    void deps.clock.sleep(Math.max(0, left), attempt.abort.signal).then(() => {
      if (attempt.settled !== null || attempt.settling || events.signal.aborted) return;
      track(attempt, () => stop(attempt, "timed_out"));
    });
  }

  async function stop(attempt: Attempt, cause: "canceled" | "timed_out"): Promise<void> {
    await deps.executor.cancel(attempt.handle, cause, attempt.plan.graceSeconds);
    await look(attempt);
  }

  deps.executor.watch(events.signal, (hint) => {
    const attempt = attempts.get(hint.executionId);
    if (attempt !== undefined) track(attempt, () => look(attempt));
  });

  return {
    get: (id) => attempts.get(id),
    submit(attempt, open) {
      attempts.set(attempt.executionId, attempt);
      track(attempt, async () => {
        let spec: ExecutionSpec;
        try {
          spec = await open();
          attempt.spec = spec;
          if (attempt.cancelRequested) return finish(attempt, neverBegan("canceled", null));
          if (events.signal.aborted) return;
          await deps.executor.submit(spec);
        } catch (error) {
          if (events.signal.aborted) return;
          const problem = Problem.from(error);
          deps.log.warn({ ...fields(attempt), error: problem.message }, "an attempt could not be started");
          return finish(attempt, outcomeOfProblem(problem, null));
        }
        if (attempt.cancelRequested) await stop(attempt, "canceled");
        else await look(attempt);
      });
    },
    adopt(attempt, open) {
      attempts.set(attempt.executionId, attempt);
      track(attempt, async () => {
        attempt.spec = await open();
        await look(attempt);
        if (attempt.cancelRequested && attempt.settled === null) await stop(attempt, "canceled");
      });
    },
    hold(attempt) {
      attempts.set(attempt.executionId, attempt);
    },
    cancel(id) {
      const attempt = attempts.get(id);
      if (attempt === undefined || attempt.cancelRequested || attempt.settled !== null) return;
      attempt.cancelRequested = true;
      if (attempt.spec !== null) track(attempt, () => stop(attempt, "canceled"));
    },
    settledOf: (executions) => executions.flatMap((execution) => attempts.get(execution.id)?.settled ?? []),
    begunOf: (executions) =>
      executions.flatMap((execution) => {
        const begunAt = attempts.get(execution.id)?.begunAt ?? null;
        return begunAt === null ? [] : [{ executionId: execution.id, begunAt }];
      }),
    forget(id) {
      attempts.get(id)?.abort.abort();
      attempts.delete(id);
    },
    relist() {
      for (const attempt of attempts.values())
        if (attempt.spec !== null && attempt.settled === null) track(attempt, () => look(attempt));
    },
    async idle() {
      while (work.size > 0) await Promise.allSettled([...work]);
    },
  };
}

function fields(attempt: Attempt) {
  return {
    pipeline_run_id: attempt.runId,
    job_id: attempt.handle.jobId,
    job_step_id: attempt.handle.stepId,
    execution_id: attempt.executionId,
    stage_type: attempt.jobType,
  };
}
