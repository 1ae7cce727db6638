/** Reads a run snapshot in one statement and one round trip; its cost does not grow with the run's steps. */
import type {
  ExecutionView,
  FailureView,
  JobView,
  RunSnapshot,
  RunView,
  StepView,
} from "../../domain/index.ts";
import type { RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";

// Every lookup below is a short range of an index: the newest attempts; of the active job the running steps, the head of
// the pending ones, and from the head to the first step of another group. A step has one live execution, and the limit
// says so: without it the lookup is planned as a join with all that is live, by statistics from before a burst.
export const runSnapshotSql = `
with newest as materialized (
  select distinct on (j.job_type) j.id, j.job_type, j.status, j.attempt,
    array_position(array['build', 'test', 'deploy'], j.job_type) as rank
  from jobs j
  where j.pipeline_run_id = $1::uuid
  order by j.job_type, j.attempt desc
),
active as materialized (
  select n.id, n.job_type
  from newest n
  where n.status in ('pending', 'running')
  order by n.rank
  limit 1
),
head as materialized (
  select s.execution_order, s.parallel_group
  from job_steps s
  where s.job_id = (select a.id from active a) and s.status = 'pending'
  order by s.execution_order
  limit 1
),
beyond as materialized (
  select case when h.parallel_group is null then h.execution_order + 1 else coalesce((
      select s.execution_order
      from job_steps s
      where s.job_id = (select a.id from active a)
        and s.execution_order > h.execution_order
        and s.parallel_group is distinct from h.parallel_group
      order by s.execution_order
      limit 1
    ), 2147483647) end as execution_order
  from head h
),
steps as materialized (
  select s.id, s.name, s.execution_order, s.parallel_group, s.status, s.plan, s.deploys
  from job_steps s
  where s.job_id = (select a.id from active a) and s.status = 'running'
  union all
  select s.id, s.name, s.execution_order, s.parallel_group, s.status, s.plan, s.deploys
  from job_steps s
  where s.job_id = (select a.id from active a) and s.status = 'pending'
    and s.execution_order >= (select h.execution_order from head h)
    and s.execution_order < (select b.execution_order from beyond b)
)
select
  json_build_object('id', r.id, 'seq', r.seq, 'status', r.status, 'phase', r.phase,
    'cancelRequested', r.cancel_requested_at is not null,
    'resolved', r.config_digest is not null or exists (select from newest)) as run,
  coalesce((
    select json_agg(json_build_object('id', n.id, 'type', n.job_type, 'status', n.status, 'attempt', n.attempt)
      order by n.rank)
    from newest n
  ), '[]'::json) as jobs,
  coalesce((
    select json_agg(json_build_object('id', s.id, 'name', s.name, 'order', s.execution_order,
      'parallelGroup', s.parallel_group, 'status', s.status, 'attempts', (
        select coalesce(max(e.attempt), 0) from executions e where e.job_step_id = s.id
      ), 'plan', s.plan) order by s.execution_order)
    from steps s
  ), '[]'::json) as steps,
  coalesce((
    select json_agg(json_build_object('id', e.id, 'stepId', e.job_step_id, 'attempt', e.attempt, 'status', e.status,
      'instance', e.instance_id) order by s.execution_order)
    from steps s
    cross join lateral (
      select e.id, e.job_step_id, e.attempt, e.status, e.instance_id
      from executions e
      where e.job_step_id = s.id and e.status in ('pending', 'running')
      limit 1
    ) e
  ), '[]'::json) as executions,
  (
    select json_build_object('stepName', f.name, 'parallelGroup', f.parallel_group, 'reason', coalesce(e.failure_reason, 'internal'),
      'message', e.message, 'retry', f.plan -> 'retry')
    from (
      select s.id, s.name, s.parallel_group, s.plan
      from job_steps s
      where s.job_id = (select a.id from active a) and s.status = 'failed'
      order by s.finished_at, s.execution_order
      limit 1
    ) f
    left join lateral (
      select e.failure_reason, e.message
      from executions e
      where e.job_step_id = f.id
      order by e.attempt desc
      limit 1
    ) e on true
  ) as failure,
  exists (
    select from job_steps s where s.job_id = (select a.id from active a) and s.status = 'canceled'
  ) as any_canceled,
  (
    select json_build_object('deploymentId', d.id, 'outcome', d.outcome)
    from steps s
    join deployments d on d.target = s.plan #>> '{deploy,target}'
      and d.namespace = s.plan #>> '{deploy,namespace}'
      and d.release = s.plan #>> '{deploy,release}'
      and d.outcome in ('active', 'unknown')
      and d.pipeline_run_id <> r.id
    where s.deploys and (select a.job_type from active a) = 'deploy'
    limit 1
  ) as deploy_block
from pipeline_runs r
where r.id = $1::uuid`;

interface SnapshotRow {
  readonly run: RunView;
  readonly jobs: readonly JobView[];
  readonly steps: readonly StepView[];
  readonly executions: readonly ExecutionView[];
  readonly failure: FailureView | null;
  readonly any_canceled: boolean;
  readonly deploy_block: RunSnapshot["deployBlock"];
}

/** Returns null when there is no such run. */
export async function readRunSnapshot(database: Queryable, runId: RunId): Promise<RunSnapshot | null> {
  const rows = await database.query<SnapshotRow>(runSnapshotSql, [runId], { name: "runs.snapshot" });
  const [row] = rows;
  if (row === undefined) return null;
  const { any_canceled: anyCanceled, deploy_block: deployBlock, ...rest } = row;
  return { ...rest, anyCanceled, deployBlock };
}
