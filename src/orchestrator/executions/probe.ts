/**
 * Probes what an attempt has done whose end leaves it open: one step in a workspace of its own, outside the run's jobs and
 * recorded nowhere. A probe changes nothing, so the next owner of the run repeats it. Job and step have the id of the
 * attempt: a process that finds the probe of an earlier process running re-attaches to it.
 */
import type { ExecutionSpec, JobSpec, Outcome, StepPlan } from "../../domain/index.ts";
import {
  brandId,
  type ExecutionId,
  errorMessage,
  type JobId,
  newId,
  Problem,
  type StepId,
  wakeReason,
} from "../../kernel/index.ts";
import type { OrchestratorDeps } from "../types.ts";
import { type Attempt, describeAttempt } from "./attempt.ts";
import { outcomeOfProblem } from "./outcomes.ts";

/** Notifications may be lost. */
const pollMs = 1_000;

type ProbeDeps = Pick<OrchestratorDeps, "store" | "executor" | "clock" | "log">;

/** Returns the end of the probe; null: the process stops before that. */
export async function probe(
  deps: ProbeDeps,
  attempt: Attempt,
  plan: StepPlan,
  stopping: AbortSignal,
): Promise<Outcome | null> {
  // The probe uses the HOME and the account of its project.
  const { projectId } = (await deps.store.jobs.spec(attempt.subject.job.id)) ?? {};
  const spec = specOf(attempt, plan, projectId);
  const { executor, log } = deps;
  const fields = describeAttempt(attempt);
  let outcome: Outcome | null;
  try {
    await executor.open(spec.job);
    await executor.submit(spec);
    outcome = await outcomeOf(deps, spec, stopping);
  } catch (error) {
    log.warn({ ...fields, error: errorMessage(error) }, "A lost attempt could not be probed.");
    outcome = outcomeOfProblem(Problem.from(error));
  }
  if (outcome === null) return null;
  await executor.close(spec.job).catch((error: unknown) => {
    log.error({ ...fields, error: errorMessage(error) }, "The workspace of a probe could not be closed.");
  });
  return outcome;
}

function specOf(
  { id, subject: { runId, job: of } }: Attempt,
  plan: StepPlan,
  projectId: JobSpec["projectId"],
): ExecutionSpec {
  const stepId = brandId<StepId>(id);
  const steps = [{ stepId, name: plan.name, parallelGroup: null, image: plan.image }];
  const jobId = brandId<JobId>(id);
  const project = projectId === undefined ? {} : { projectId };
  const job: JobSpec = {
    runId,
    ...project,
    jobId,
    jobType: of.type,
    attempt: 1,
    source: null,
    inputs: [],
    steps,
  };
  return { ...plan, source: "none", executionId: newId<ExecutionId>(), stepId, attempt: 1, job };
}

async function outcomeOf(
  { executor, clock }: ProbeDeps,
  { executionId, stepId, attempt, job, timeoutSeconds, graceSeconds }: ExecutionSpec,
  stopping: AbortSignal,
): Promise<Outcome | null> {
  const handle = { executionId, stepId, attempt, jobId: job.jobId, jobAttempt: job.attempt };
  const over = new AbortController();
  let nap = new AbortController();
  executor.watch(over.signal, (notification) => {
    if (notification.executionId === executionId) nap.abort(wakeReason);
  });
  const deadline = clock.monotonic() + timeoutSeconds * 1000;
  try {
    for (;;) {
      nap = new AbortController();
      const status = await executor.status(handle);
      if (status.state === "ended") return status.outcome;
      if (status.state === "unknown")
        throw new Problem("executor_failed", "The status check disappeared before it finished.");
      if (stopping.aborted) return null;
      if (clock.monotonic() > deadline) await executor.cancel(handle, "timed_out", graceSeconds);
      await clock.sleep(pollMs, AbortSignal.any([nap.signal, stopping]));
    }
  } finally {
    over.abort();
  }
}
