/** The deploys that wait for a release: a pending deploy job that is the only unfinished job of its run. */
import type { RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";
import type { Owner } from "./apply.ts";

/** Only one deployment to a release is active at a time. */
export interface Release {
  readonly target: string;
  readonly namespace: string;
  readonly release: string;
}

/** Maximum number of pending deploys to look at, the oldest first: most of them are in runs that still build. */
const maxCandidates = 100;

const nextDeploySql = `
with candidates as materialized (
  select s.job_id
  from job_steps s
  where s.deploys and s.status = 'pending'
    and left(s.plan #>> '{deploy,release}', 100) = left($5::text, 100)
    and s.plan #>> '{deploy,release}' = $5::text
    and s.plan #>> '{deploy,namespace}' = $4::text
    and s.plan #>> '{deploy,target}' = $3::text
  order by s.created_at
  limit ${maxCandidates}
)
select r.id
from candidates c
join jobs j on j.id = c.job_id
join pipeline_runs r on r.id = j.pipeline_run_id
where j.status = 'pending'
  and r.status in ('pending', 'running') and r.owner_id = $1::uuid and r.owner_epoch = $2::integer
  and not exists (
    select from jobs o where o.pipeline_run_id = r.id and o.id <> j.id and o.status in ('pending', 'running')
  )
order by r.created_at, r.id
limit 1`;

/** Returns the owner's oldest run whose deploy waits for the release; null: none waits. */
export async function findNextDeploy(
  database: Queryable,
  owner: Owner,
  { target, namespace, release }: Release,
): Promise<RunId | null> {
  const values = [owner.instance, owner.epoch, target, namespace, release];
  const rows = await database.query<{ id: RunId }>(nextDeploySql, values, { name: "runs.next_deploy" });
  return rows[0]?.id ?? null;
}
