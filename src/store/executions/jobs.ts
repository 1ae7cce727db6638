/** Jobs: one per stage and attempt. Written by `runs.accept` and `runs.apply`; what an executor needs is read here. */
import type { InputArtifact, JobSpec, SourceSpec } from "../../domain/index.ts";
import type { JobId, RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import type { JobRow } from "../rows.ts";

export interface JobStore {
  get(id: JobId): Promise<JobRow | null>;
  /** Every attempt, in the order build, test, deploy and by attempt. */
  ofRun(runId: RunId): Promise<readonly JobRow[]>;
  /**
   * The data for `Executor.open`. Source: the run's tree when a step of the job wants it. Inputs: the artifacts of the
   * run's succeeded jobs, and those that it reuses, that the job's steps name.
   */
  spec(id: JobId): Promise<JobSpec | null>;
}

export const jobColumns = `row.id, row.pipeline_run_id, row.job_type, row.name, row.status, row.attempt,
  row.failure_reason, row.failure_message, row.created_at, row.started_at, row.finished_at`;

export const jobsOfRunSql = `
select ${jobColumns}
from jobs row
where row.pipeline_run_id = $1::uuid
order by array_position(array['build', 'test', 'deploy'], row.job_type), row.attempt`;

const specSql = `
select j.pipeline_run_id as "runId", j.id as "jobId", j.job_type as "jobType", j.attempt,
  o.project_id as "projectId", r.executor_type as "executorType",
  case when r.tree is null or not exists (
      select from job_steps s where s.job_id = j.id and s.plan ->> 'source' = 'tree'
    ) then null
    else json_build_object('repositoryId', p.repository_id, 'cloneUrl', o.clone_url,
      'credential', case when o.clone_secret is null and o.account_access then null else o.id end, 'commit', r.git_sha,
      'tree', r.tree, 'submodules', coalesce((c.config ->> 'submodules')::boolean, false),
      'clone', c.config -> 'clone', 'lfs', c.config -> 'lfs') end as source,
  coalesce((
    select json_agg(json_build_object('name', w.name, 'type', a.artifact_type, 'path', w.path, 'artifactId', a.id,
      'sha256', a.checksum, 'size', a.size, 'metadata', a.metadata) order by w.name)
    from (
      select distinct i.value ->> 'name' as name, i.value ->> 'path' as path
      from job_steps s
      cross join lateral jsonb_array_elements(s.plan -> 'inputs') i (value)
      where s.job_id = j.id
    ) w
    join lateral (
      select a.id, a.artifact_type, a.checksum, a.size, a.metadata
      from (
        select a.*
        from jobs b
        join artifacts a on a.job_id = b.id
        where b.pipeline_run_id = j.pipeline_run_id and b.status = 'succeeded'
        union all
        select a.*
        from reused_artifacts d
        join artifacts a on a.id = d.artifact_id
        where d.pipeline_run_id = j.pipeline_run_id
      ) a
      where a.name = w.name and a.expired_at is null
      order by a.created_at desc, a.id desc
      limit 1
    ) a on true
  ), '[]'::json) as inputs,
  coalesce((
    select json_agg(distinct n.name)
    from (
      select jsonb_path_query(c.config, '$.*.steps[*].secrets[*]')
      union all
      select jsonb_path_query(c.config, '$.deploy.secrets[*]')
    ) n (name)
  ), '[]'::json) as "runSecrets",
  (
    select json_agg(json_build_object('stepId', s.id, 'name', s.name, 'parallelGroup', s.parallel_group,
      'image', s.plan ->> 'image')
      order by s.execution_order)
    from job_steps s
    where s.job_id = j.id
  ) as steps
from jobs j
join pipeline_runs r on r.id = j.pipeline_run_id
join pipelines p on p.id = r.pipeline_id
join repositories o on o.id = p.repository_id
left join pipeline_configs c on c.digest = r.config_digest
where j.id = $1::uuid`;

interface SpecRow extends Omit<JobSpec, "source" | "inputs" | "steps"> {
  readonly source: SourceSpec | null;
  readonly inputs: readonly InputArtifact[];
  readonly steps: JobSpec["steps"] | null;
}

export function createJobStore(database: Database): JobStore {
  return {
    async get(id) {
      const rows = await database.query<JobRow>(
        `select ${jobColumns} from jobs row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    ofRun: (runId) => database.query<JobRow>(jobsOfRunSql, [runId]),
    async spec(id) {
      const row = (await database.query<SpecRow>(specSql, [id], { name: "jobs.spec" }))[0];
      return row === undefined ? null : { ...row, steps: row.steps ?? [] };
    },
  };
}
