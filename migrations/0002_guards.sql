-- Up Migration
-- What the database refuses, whoever asks: a row that begins elsewhere than at its machine's start, a move that the
-- machine does not have, any change of what is final, and a deletion outside the purge. The machines mirror
-- src/domain/model/states.ts; a test compares every pair. The guards of the hot tables are functions and no WHEN clauses:
-- Postgres keeps a function's plan, and plans a WHEN clause anew for every statement.

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

create function guard_run() returns trigger
language plpgsql
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'pending' or new.phase <> 'submitted' then
      raise exception 'a run begins pending and submitted, not % and %', new.status, new.phase using errcode = 'SH001';
    end if;
  elsif old.status = 'pending' then
    if new.status not in ('pending', 'running', 'failed', 'canceled') then
      raise exception 'a run does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'running' then
    if new.status not in ('running', 'success', 'failed', 'canceled') then
      raise exception 'a run does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  elsif old is distinct from new and not purging() then
    raise exception 'run % is % and never changes again', old.id, old.status using errcode = 'SH001';
  end if;
  return new;
end
$$;
create trigger pipeline_runs_guard before insert or update on pipeline_runs for each row execute function guard_run();

create function guard_run_phase() returns trigger
language plpgsql
as $$
declare
  v_phases constant text[] := array['submitted', 'building', 'built', 'testing', 'tested', 'deploying', 'deployed'];
begin
  if array_position(v_phases, old.phase::text) >= array_position(v_phases, new.phase::text) then
    raise exception 'a run''s phase does not move from % to %', old.phase, new.phase using errcode = 'SH001';
  end if;
  return new;
end
$$;
create trigger pipeline_runs_guard_phase before update on pipeline_runs for each row
  when (old.phase <> new.phase) execute function guard_run_phase();

create function guard_job() returns trigger
language plpgsql
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'pending' then
      raise exception 'a job begins pending, not %', new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'pending' then
    if new.status not in ('pending', 'running', 'failed', 'canceled', 'skipped') then
      raise exception 'a job does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'running' then
    if new.status not in ('running', 'succeeded', 'failed', 'canceled') then
      raise exception 'a job does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  elsif old is distinct from new then
    raise exception 'job % is % and never changes again', old.id, old.status using errcode = 'SH001';
  end if;
  return new;
end
$$;
create trigger jobs_guard before insert or update on jobs for each row execute function guard_job();

create function guard_step() returns trigger
language plpgsql
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'pending' then
      raise exception 'a step begins pending, not %', new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'pending' then
    if new.status not in ('pending', 'running', 'failed', 'canceled', 'skipped') then
      raise exception 'a step does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'running' then
    if new.status not in ('running', 'succeeded', 'failed', 'canceled') then
      raise exception 'a step does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  -- Not the whole row: a generated column is not there yet.
  elsif (old.id, old.job_id, old.name, old.execution_order, old.parallel_group, old.plan, old.status, old.created_at,
         old.started_at, old.finished_at)
      is distinct from
        (new.id, new.job_id, new.name, new.execution_order, new.parallel_group, new.plan, new.status, new.created_at,
         new.started_at, new.finished_at) then
    raise exception 'step % is % and never changes again', old.id, old.status using errcode = 'SH001';
  end if;
  return new;
end
$$;
create trigger job_steps_guard before insert or update on job_steps for each row execute function guard_step();

create function guard_execution() returns trigger
language plpgsql
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'pending' then
      raise exception 'an execution begins pending, not %', new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'pending' then
    if new.status not in ('pending', 'running', 'failed', 'canceled', 'lost') then
      raise exception 'an execution does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  elsif old.status = 'running' then
    if new.status not in ('running', 'succeeded', 'failed', 'canceled', 'lost') then
      raise exception 'an execution does not move from % to %', old.status, new.status using errcode = 'SH001';
    end if;
  else
    -- Log bytes that were missing may still come after the end; nothing else may.
    old.logs_ref := new.logs_ref;
    old.log_bytes := new.log_bytes;
    old.log_dropped := new.log_dropped;
    if old is distinct from new then
      raise exception 'execution % is % and its outcome never changes again', old.id, old.status
        using errcode = 'SH001';
    end if;
  end if;
  return new;
end
$$;
create trigger executions_guard before insert or update on executions for each row
  execute function guard_execution();

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
  if exists (select from deployments d where d.digests @> array[new.checksum::text]) then
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
