-- Up Migration
-- What the database refuses, whoever asks: a row that begins elsewhere than at its machine's start, a move that the
-- machine does not have, any change of what is final, and a deletion outside the purge. The conditions stand in the
-- triggers' WHEN clauses, so a legal move costs no function call. They mirror src/domain/states.ts; a test compares
-- every pair.

create function refuse_change() returns trigger
language plpgsql
as $$
begin
  raise exception '% of % refused: %', lower(tg_op), tg_table_name, tg_argv[0]
    using errcode = 'SH001', table = tg_table_name, constraint = tg_name;
end
$$;

create function purging() returns boolean
language sql stable parallel safe
as $$ select coalesce(current_setting('shipinator.purging', true), '') = 'on' $$;

-- Runs
create trigger pipeline_runs_initial before insert on pipeline_runs for each row
  when (new.status <> 'pending' or new.phase <> 'submitted')
  execute function refuse_change('a run begins pending and submitted');
create trigger pipeline_runs_move before update on pipeline_runs for each row
  when (old.status <> new.status and (old.status, new.status) not in (
    ('pending', 'running'), ('pending', 'failed'), ('pending', 'canceled'),
    ('running', 'success'), ('running', 'failed'), ('running', 'canceled')))
  execute function refuse_change('the run''s status does not move there');
create trigger pipeline_runs_phase before update on pipeline_runs for each row
  when (old.phase <> new.phase
    and array_position(array['submitted', 'building', 'built', 'testing', 'tested', 'deploying', 'deployed'], old.phase)
      >= array_position(array['submitted', 'building', 'built', 'testing', 'tested', 'deploying', 'deployed'], new.phase))
  execute function refuse_change('a run''s phase only moves forward');
create trigger pipeline_runs_final before update on pipeline_runs for each row
  when (old.status in ('success', 'failed', 'canceled') and old.* is distinct from new.* and not purging())
  execute function refuse_change('a final run never changes');

-- Jobs
create trigger jobs_initial before insert on jobs for each row
  when (new.status <> 'pending')
  execute function refuse_change('a job begins pending');
create trigger jobs_move before update on jobs for each row
  when (old.status <> new.status and (old.status, new.status) not in (
    ('pending', 'running'), ('pending', 'failed'), ('pending', 'canceled'), ('pending', 'skipped'),
    ('running', 'succeeded'), ('running', 'failed'), ('running', 'canceled')))
  execute function refuse_change('the job''s status does not move there');
create trigger jobs_final before update on jobs for each row
  when (old.status in ('succeeded', 'failed', 'canceled', 'skipped') and old.* is distinct from new.*)
  execute function refuse_change('a final job never changes');

-- Steps
create trigger job_steps_initial before insert on job_steps for each row
  when (new.status <> 'pending')
  execute function refuse_change('a step begins pending');
create trigger job_steps_move before update on job_steps for each row
  when (old.status <> new.status and (old.status, new.status) not in (
    ('pending', 'running'), ('pending', 'failed'), ('pending', 'canceled'), ('pending', 'skipped'),
    ('running', 'succeeded'), ('running', 'failed'), ('running', 'canceled')))
  execute function refuse_change('the step''s status does not move there');
create trigger job_steps_final before update on job_steps for each row
  when (old.status in ('succeeded', 'failed', 'canceled', 'skipped')
    and (old.id, old.job_id, old.name, old.execution_order, old.parallel_group, old.status, old.created_at,
         old.started_at, old.finished_at, old.plan)
      is distinct from
        (new.id, new.job_id, new.name, new.execution_order, new.parallel_group, new.status, new.created_at,
         new.started_at, new.finished_at, new.plan))
  execute function refuse_change('a final step never changes');

-- Executions. Log bytes that were missing may still come after the end; the outcome may not.
create trigger executions_initial before insert on executions for each row
  when (new.status <> 'pending')
  execute function refuse_change('an execution begins pending');
create trigger executions_move before update on executions for each row
  when (old.status <> new.status and (old.status, new.status) not in (
    ('pending', 'running'), ('pending', 'failed'), ('pending', 'canceled'), ('pending', 'lost'),
    ('running', 'succeeded'), ('running', 'failed'), ('running', 'canceled'), ('running', 'lost')))
  execute function refuse_change('the execution''s status does not move there');
create trigger executions_final before update on executions for each row
  when (old.status in ('succeeded', 'failed', 'canceled', 'lost')
    and (old.id, old.job_step_id, old.pipeline_run_id, old.attempt, old.executor_type, old.external_id, old.status,
         old.owner_node, old.node, old.epoch, old.spec, old.submitted_at, old.not_before, old.ready_at, old.begun_at,
         old.completed_at, old.exit_code, old.failure_reason, old.message, old.kill_rung)
      is distinct from
        (new.id, new.job_step_id, new.pipeline_run_id, new.attempt, new.executor_type, new.external_id, new.status,
         new.owner_node, new.node, new.epoch, new.spec, new.submitted_at, new.not_before, new.ready_at, new.begun_at,
         new.completed_at, new.exit_code, new.failure_reason, new.message, new.kill_rung))
  execute function refuse_change('a final execution''s outcome never changes');

-- Deployments: one that is not known waits for a person, who settles it once.
create trigger deployments_initial before insert on deployments for each row
  when (new.outcome <> 'active')
  execute function refuse_change('a deployment begins active');
create trigger deployments_move before update on deployments for each row
  when (old.outcome <> new.outcome and (old.outcome, new.outcome) not in (
    ('active', 'succeeded'), ('active', 'failed'), ('active', 'unknown'), ('active', 'canceled'),
    ('unknown', 'succeeded'), ('unknown', 'failed')))
  execute function refuse_change('the deployment''s outcome does not move there');
create trigger deployments_final before update on deployments for each row
  when (old.outcome in ('succeeded', 'failed', 'canceled') and old.* is distinct from new.*)
  execute function refuse_change('a final deployment never changes');

-- Artifacts: only their expiry is ever added, and never to a digest that a deployment names.
create trigger artifacts_immutable before update on artifacts for each row
  when ((old.id, old.job_id, old.execution_id, old.name, old.artifact_type, old.storage_backend, old.storage_path,
         old.checksum, old.size, old.metadata, old.created_at)
      is distinct from
        (new.id, new.job_id, new.execution_id, new.name, new.artifact_type, new.storage_backend, new.storage_path,
         new.checksum, new.size, new.metadata, new.created_at)
    or (old.expired_at is not null and old.expired_at is distinct from new.expired_at))
  execute function refuse_change('an artifact never changes');

create function refuse_deployed_expiry() returns trigger
language plpgsql
as $$
begin
  if exists (select from deployments d where d.digests @> array[new.checksum]) then
    raise exception 'expiry of artifact % refused: a deployment names its digest', new.id
      using errcode = 'SH001', table = tg_table_name, constraint = tg_name;
  end if;
  return new;
end
$$;
create trigger artifacts_deployed before update on artifacts for each row
  when (old.expired_at is null and new.expired_at is not null)
  execute function refuse_deployed_expiry();

-- Configurations are named by their digest.
create trigger pipeline_configs_immutable before update on pipeline_configs for each row
  execute function refuse_change('a configuration never changes');

-- Transitions are append-only.
create trigger transitions_append_only before update on transitions for each row
  execute function refuse_change('what happened never changes');

-- Deletion: the purge alone.
create trigger pipeline_runs_keep before delete on pipeline_runs for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger jobs_keep before delete on jobs for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger job_steps_keep before delete on job_steps for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger executions_keep before delete on executions for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger artifacts_keep before delete on artifacts for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger deployments_keep before delete on deployments for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger pipeline_configs_keep before delete on pipeline_configs for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger transitions_keep before delete on transitions for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');

create trigger pipeline_runs_no_truncate before truncate on pipeline_runs
  execute function refuse_change('the purge alone deletes');
create trigger jobs_no_truncate before truncate on jobs
  execute function refuse_change('the purge alone deletes');
create trigger job_steps_no_truncate before truncate on job_steps
  execute function refuse_change('the purge alone deletes');
create trigger executions_no_truncate before truncate on executions
  execute function refuse_change('the purge alone deletes');
create trigger artifacts_no_truncate before truncate on artifacts
  execute function refuse_change('the purge alone deletes');
create trigger deployments_no_truncate before truncate on deployments
  execute function refuse_change('the purge alone deletes');
create trigger transitions_no_truncate before truncate on transitions
  execute function refuse_change('the purge alone deletes');
