/** The jobs and steps that a run begins with: written when it is accepted, or when it is resolved afterwards. */
import type { JobType, StepPlan } from "../../domain/index.ts";
import { type JobId, newId, Problem, type StepId } from "../../kernel/index.ts";
import { strictJson } from "../db/text.ts";

export interface NewJob {
  readonly type: JobType;
  readonly steps: readonly StepPlan[];
}

/** The common table expressions `new_jobs`, `made_jobs` and `made_steps`, for a statement whose $1 is the run; `jobs` is the parameter of `jobsArgument`. */
export const newJobsSql = (jobs: string) => `new_jobs as (
  select j.id, j.type, j.steps, j.n
  from rows from (jsonb_to_recordset(${jobs}::jsonb) as (id uuid, type text, steps jsonb)) with ordinality
    as j (id, type, steps, n)
),
made_jobs as (
  insert into jobs (id, pipeline_run_id, job_type, name)
  select j.id, $1::uuid, j.type, j.type
  from new_jobs j
),
made_steps as (
  insert into job_steps (id, job_id, name, execution_order, parallel_group, plan)
  select (s.value ->> 'id')::uuid, j.id, s.value #>> '{plan,name}', s.n - 1, s.value #>> '{plan,parallelGroup}',
    s.value -> 'plan'
  from new_jobs j
  cross join lateral jsonb_array_elements(j.steps) with ordinality as s (value, n)
)`;

/** A new job with its ids. */
export interface MadeJob {
  readonly id: JobId;
  readonly type: JobType;
  readonly steps: readonly { readonly id: StepId; readonly plan: StepPlan }[];
}

export function makeJobs(planned: readonly NewJob[]): readonly MadeJob[] {
  return planned.map(({ type, steps }) => ({
    id: newId<JobId>(),
    type,
    steps: steps.map((plan) => ({ id: newId<StepId>(), plan })),
  }));
}

export const jobsArgument = (jobs: readonly MadeJob[]): string => strictJson(jobs, "jobs");

/** Refuses a resolved run without a job, or a job without a step: neither could ever succeed. */
export function refuseEmpty(jobs: readonly NewJob[]): void {
  const empty = jobs.find(({ steps }) => steps.length === 0);
  if (jobs.length > 0 && empty === undefined) return;
  throw new Problem(
    "config_invalid",
    empty === undefined ? "The run would have no stage at all." : `The ${empty.type} stage has no step.`,
    { remedy: "Ask for a stage that the pipeline file has, with at least one step in it." },
  );
}
