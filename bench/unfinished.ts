/** Runs of a server that was killed, many at once, written by SQL as copies of one that was carried out. */
import pg from "pg";
import type { ConnectionSettings } from "../src/store/index.ts";

export interface Unfinished {
  /** Their step waits for a slot. */
  readonly queued: number;
  /** Their step was running, in a workspace that is gone. */
  readonly running: number;
  /** Their repository was not read yet; of another pipeline. */
  readonly unresolved: number;
}

/** The statistics of the tables stay as they are before: of the moment before a burst. */
export async function seedUnfinished(
  settings: ConnectionSettings,
  [resolved, silent]: readonly [string, string],
  { queued, running, unresolved }: Unfinished,
): Promise<void> {
  const client = await connected(settings);
  const many = (text: string, values: readonly unknown[] = []) => client.query(text, [...values]);
  try {
    for (const table of ["pipeline_runs", "jobs", "job_steps", "executions"])
      await many(`alter table ${table} set (autovacuum_enabled = false)`);
    await many("analyze");
    // What the triggers of the state machines would refuse: rows that begin in the middle of their life.
    await many("set session_replication_role = replica");
    await many(
      `insert into instances (id, data_directory, host, boot_id, pid_namespace, pid, pid_start_time, lease_until)
       values ($1::uuid, '/gone', 'gone', 'gone', 'gone', 1, 'gone', now() - interval '1 hour')`,
      [gone],
    );
    await many(
      `create temporary table seeded as
       select n, new_id() as run, new_id() as job, new_id() as step, new_id() as execution,
         case when n <= $1::integer then 'queued' when n <= $1 + $2::integer then 'running' else 'unresolved' end as kind
       from generate_series(1, $1::integer + $2::integer + $3::integer) n`,
      [queued, running, unresolved],
    );
    await many(
      `insert into pipeline_runs (id, pipeline_id, project_id, number, git_ref, git_sha, tree, branch, status, phase,
         cause_kind, cause_actor, executor_type, config_digest, owner_id, owner_epoch, seq, started_at)
       select s.run, p.id, o.project_id, 1000 + s.n, r.git_ref, i.git_sha, i.tree, r.branch,
         case when s.kind = 'unresolved' then 'pending' else 'running' end,
         case when s.kind = 'unresolved' then 'submitted' else 'building' end,
         r.cause_kind, r.cause_actor, r.executor_type, i.config_digest, $1::uuid, 1, 10, case when s.kind <> 'unresolved' then now() end
       from seeded s
       join pipelines p on p.name = case when s.kind = 'unresolved' then $3::text else $2::text end
       join repositories o on o.id = p.repository_id
       cross join (select * from pipeline_runs where status = 'success' order by created_at limit 1) r
       left join pipeline_runs i on i.id = r.id and s.kind <> 'unresolved'`,
      [gone, resolved, silent],
    );
    await many(
      `insert into jobs (id, pipeline_run_id, job_type, name, status, started_at)
       select s.job, s.run, 'build', 'build', 'running', now() from seeded s where s.kind <> 'unresolved'`,
    );
    await many(
      `insert into job_steps (id, job_id, name, execution_order, plan, status, started_at)
       select s.step, s.job, t.name, t.execution_order, t.plan, 'running', now()
       from seeded s cross join (select * from job_steps limit 1) t where s.kind <> 'unresolved'`,
    );
    await many(
      `insert into executions (id, job_step_id, pipeline_run_id, attempt, executor_type, owner_id, spec, ready_at,
         instance_id, epoch, external_id, status, begun_at)
       select s.execution, s.step, s.run, 1, 'local', $1::uuid, jsonb_build_object('job_step_id', s.step, 'attempt', 1), now(),
         case when s.kind = 'running' then $1::uuid end, case when s.kind = 'running' then 1 end,
         case when s.kind = 'running' then s.job || '.1 on gone' end,
         case when s.kind = 'running' then 'running' else 'pending' end, case when s.kind = 'running' then now() end
       from seeded s where s.kind <> 'unresolved'`,
      [gone],
    );
  } finally {
    await client.end();
  }
}

const gone = "00000000-0000-7000-8000-000000000001";

/** Runs that are not final, by whether their step was found lost. */
export async function countUnfinished(
  settings: ConnectionSettings,
): Promise<{ foreign: number; lost: number }> {
  const client = await connected(settings);
  try {
    const { rows } = await client.query(
      `select count(*) filter (where r.status in ('pending', 'running') and r.owner_id = $1)::integer as foreign,
         count(*) filter (where r.failure_reason = 'executor_lost')::integer as lost
       from pipeline_runs r`,
      [gone],
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

async function connected({ host, port, user, password, database }: ConnectionSettings): Promise<pg.Client> {
  const client = new pg.Client({ host, port, user, database, password });
  await client.connect();
  return client;
}
