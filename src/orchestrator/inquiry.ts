/**
 * Asks what an attempt's end leaves open: one step in a workspace of its own, beside the run's jobs and recorded
 * nowhere. It changes nothing, so whoever carries the run after us asks again. Job and step go by the id of the attempt
 * that is asked about: a process that finds an earlier one's question under way adopts it.
 */
import type { ExecutionSpec, JobSpec, Outcome, StepPlan } from "../domain/index.ts";
import {
  brandId,
  type ExecutionId,
  errorMessage,
  type JobId,
  newId,
  Problem,
  type StepId,
  wakeReason,
} from "../kernel/index.ts";
import { type Attempt, describeAttempt } from "./attempt.ts";
import { outcomeOfProblem } from "./outcomes.ts";
import type { OrchestratorDeps } from "./types.ts";

/** Hints may be lost. */
const lookMs = 1_000;

type InquiryDeps = Pick<OrchestratorDeps, "store" | "executor" | "clock" | "log">;

/** @returns how the question ended, or null when the process stops before that: the question is left to the next one */
export async function inquire(
  deps: InquiryDeps,
  attempt: Attempt,
  plan: StepPlan,
  stopping: AbortSignal,
): Promise<Outcome | null> {
  // It is asked with the HOME and the account of its project.
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
    log.warn({ ...fields, error: errorMessage(error) }, "a lost attempt could not be asked about");
    outcome = outcomeOfProblem(Problem.from(error));
  }
  if (outcome === null) return null;
  await executor.close(spec.job).catch((error: unknown) => {
    log.error({ ...fields, error: errorMessage(error) }, "a question's workspace is left behind");
  });
  return outcome;
}

function specOf(
  { id, subject: { runId, job: of } }: Attempt,
  plan: StepPlan,
  projectId: JobSpec["projectId"],
): ExecutionSpec {
  const stepId = brandId<StepId>(id);
  const steps = [{ stepId, name: plan.name, parallelGroup: null }];
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
  { executor, clock }: InquiryDeps,
  { executionId, stepId, attempt, job, timeoutSeconds, graceSeconds }: ExecutionSpec,
  stopping: AbortSignal,
): Promise<Outcome | null> {
  const handle = { executionId, stepId, attempt, jobId: job.jobId, jobAttempt: job.attempt };
  const over = new AbortController();
  let nap = new AbortController();
  executor.watch(over.signal, (hint) => {
    if (hint.executionId === executionId) nap.abort(wakeReason);
  });
  const deadline = clock.monotonic() + timeoutSeconds * 1000;
  try {
    for (;;) {
      nap = new AbortController();
      const status = await executor.status(handle);
      if (status.state === "ended") return status.outcome;
      if (status.state === "unknown") throw new Problem("executor_failed", "the question has vanished");
      if (stopping.aborted) return null;
      if (clock.monotonic() > deadline) await executor.cancel(handle, "timed_out", graceSeconds);
      await clock.sleep(lookMs, AbortSignal.any([nap.signal, stopping]));
    }
  } finally {
    over.abort();
  }
}
