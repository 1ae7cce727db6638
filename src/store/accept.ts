/** Accepts a run: its number, itself, its configuration, jobs and steps, and the first of its history, all or nothing. */
import { createHash } from "node:crypto";
import type { JobType, PipelineConfig, StepPlan } from "../domain/index.ts";
import { type JobId, newId, type PipelineId, Problem, type RunId, type StepId } from "../kernel/index.ts";
import type { Owner } from "./apply.ts";
import type { Database } from "./database.ts";
import type { TriggerType } from "./rows.ts";
import { refuseUnstorable, storableText, strictJson } from "./text.ts";

export interface NewRun {
  readonly pipelineId: PipelineId;
  readonly executorType: string;
  readonly trigger: TriggerType;
  readonly gitRef: string | null;
  /** Null without git. */
  readonly gitSha: string | null;
  readonly tree: string | null;
  readonly subpath: string | null;
  /** `dirty`: the tree holds what no commit does. */
  readonly worktree: "clean" | "dirty";
  readonly branch: string | null;
  readonly tag: string | null;
  /** Null: every stage that the file has. */
  readonly requestedStages: readonly JobType[] | null;
  readonly config: PipelineConfig | null;
  readonly retriedFrom: RunId | null;
  /** Who carries the run. */
  readonly owner: Owner;
  /** Recorded with the first transitions. */
  readonly cause: string;
}

export interface NewJob {
  readonly type: JobType;
  readonly steps: readonly StepPlan[];
}

/** What a plan may depend on and only the database knows. */
export interface RunIdentity {
  readonly id: RunId;
  readonly number: number;
}

export interface AcceptedRun extends RunIdentity {
  readonly seq: number;
}

/** SHA-256 of the configuration's JSON with its keys in order, lower-case hex. */
export function configDigest(config: PipelineConfig): string {
  return createHash("sha256").update(canonicalJson(config)).digest("hex");
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

// The number's row is locked until the run is in, so numbers have no gaps and no doubles.
const numberSql = `
update pipelines p
set next_number = p.next_number + 1
where p.id = $1::uuid
returning p.next_number - 1 as number`;

const insertSql = `
with config as (
  insert into pipeline_configs (digest, config)
  select $13::text, $14::jsonb
  where $13::text is not null
  on conflict (digest) do nothing
),
run as (
  insert into pipeline_runs (id, pipeline_id, number, executor_type, trigger, git_ref, git_sha, tree, subpath, dirty,
    branch, tag, config_digest, requested_stages, retried_from, owner_node, owner_epoch, seq)
  values ($1::uuid, $2::uuid, $3::integer, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::boolean,
    $11::text, $12::text, $13::text, $15::text[], $16::uuid, $17::uuid, $18::integer,
    2 + jsonb_array_length($19::jsonb))
  returning id, seq
),
new_jobs as (
  select j.id, j.type, j.steps, j.n
  from rows from (jsonb_to_recordset($19::jsonb) as (id uuid, type text, steps jsonb)) with ordinality
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
),
history as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select $1::uuid, h.seq, h.entity, h.id, null, h.state, $20::text, h.evidence
  from (
    select 1 as seq, 'run' as entity, $1::uuid as id, 'pending' as state,
      jsonb_build_object('number', $3::integer) as evidence
    union all
    select 2, 'phase', $1::uuid, 'submitted', null
    union all
    select 2 + j.n, 'job', j.id, 'pending', jsonb_build_object('type', j.type, 'attempt', 1)
    from new_jobs j
  ) h
)
select r.seq from run r`;

/**
 * `plan` is called once, inside the transaction, and must be pure: it gives the jobs, in any order, at most one of a
 * type. A Problem that it throws leaves no run and no gap in the numbers.
 * @throws Problem not_found (pipeline), config_invalid (text that cannot be stored; no job, or a job without steps,
 *   where there is a configuration)
 */
export async function acceptRun(
  database: Database,
  run: NewRun,
  plan: (identity: RunIdentity) => readonly NewJob[],
): Promise<AcceptedRun> {
  const texts = { git_ref: run.gitRef, subpath: run.subpath, branch: run.branch, tag: run.tag };
  for (const [place, text] of Object.entries(texts)) if (text !== null) refuseUnstorable(text, place);
  const config = run.config === null ? null : strictJson(run.config, "config");
  const id = newId<RunId>();
  return await database.transaction(async (transaction) => {
    const numbered = await transaction.query<{ number: number }>(numberSql, [run.pipelineId], {
      name: "runs.number",
    });
    const number = numbered[0]?.number;
    if (number === undefined) throw new Problem("not_found", `There is no pipeline ${run.pipelineId}.`);
    const planned = plan({ id, number });
    if (run.config !== null) refuseEmpty(planned);
    const jobs = planned.map(({ type, steps }) => ({
      id: newId<JobId>(),
      type,
      steps: steps.map((step) => ({ id: newId<StepId>(), plan: step })),
    }));
    const inserted = await transaction.query<{ seq: number }>(
      insertSql,
      [
        id,
        run.pipelineId,
        number,
        run.executorType,
        run.trigger,
        run.gitRef,
        run.gitSha,
        run.tree,
        run.subpath,
        run.worktree === "dirty",
        run.branch,
        run.tag,
        run.config === null ? null : configDigest(run.config),
        config,
        run.requestedStages,
        run.retriedFrom,
        run.owner.node,
        run.owner.epoch,
        strictJson(jobs, "jobs"),
        storableText(run.cause),
      ],
      { name: "runs.accept" },
    );
    return { id, number, seq: inserted[0]?.seq ?? 0 };
  });
}

/** A resolved run without a job, or a job without a step, could never end: neither has a legal way to success. */
function refuseEmpty(jobs: readonly NewJob[]): void {
  const empty = jobs.find(({ steps }) => steps.length === 0);
  if (jobs.length > 0 && empty === undefined) return;
  throw new Problem(
    "config_invalid",
    empty === undefined ? "The run would have no stage at all." : `The ${empty.type} stage has no step.`,
    { remedy: "Ask for a stage that the pipeline file has, with at least one step in it." },
  );
}
