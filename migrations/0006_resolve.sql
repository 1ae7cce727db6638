-- Up Migration
-- What a person's retry takes over of the run that it repeats, and the list of a pipeline's runs by ref.

-- The stages that had succeeded there and are not run again here.
alter table pipeline_runs add column adopted_stages job_type[] not null default '{}';

-- What those stages had made. It keeps their run, whose job and execution the artifact names.
create table adopted_artifacts (
  pipeline_run_id uuid not null references pipeline_runs,
  artifact_id uuid not null references artifacts,
  primary key (pipeline_run_id, artifact_id)
);
create index adopted_artifacts_artifact_id on adopted_artifacts (artifact_id);
create trigger adopted_artifacts_immutable before update on adopted_artifacts for each row
  execute function refuse_change('what was taken over never changes');
create trigger adopted_artifacts_keep before delete on adopted_artifacts for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger adopted_artifacts_no_truncate before truncate on adopted_artifacts
  execute function refuse_change('the purge alone deletes');

-- By the short name, which is all that is known of the ref before its run is resolved.
drop index pipeline_runs_list_of_ref;
create index pipeline_runs_list_of_ref
  on pipeline_runs (pipeline_id, (regexp_replace(git_ref, '^refs/(heads|tags)/', '')), created_at, id);

-- As in 0003, but that a deploy also brings what was taken over.
create or replace function apply_run_changes(p_run uuid, p_node uuid, p_epoch integer, p_seq integer, p_cause text, p jsonb)
returns integer
language plpgsql
-- Every statement is a lookup by key; plans made while the tables are small must still hold when they are not.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
-- Applies one advance, all or nothing, and returns the run's new seq; null when the run has moved on or belongs to
-- another node or epoch. p, made by src/store/runs/apply.ts, every part optional but `transitions`:
--   run           {status: [from, to] | null, phase: [from, to] | null, reason, message}
--   jobs, steps, executions
--                 [{id, f (from), t (to), …}], a move each, so that the triggers see every one
--   pending       [{job, t}]   every pending step of the job goes to t
--   started       [{id, step, attempt, claimed}]   new executions
--   attempts      [{id, previous, attempt}]   new attempts of jobs
--   artifacts     [{id, execution, name, type, path, sha256, size, metadata}]
--   transitions   [{e (entity), i (id), f, t, v (evidence)}] in order; the moves of `pending` come after the first
--                 `split` of them
-- Locks run → job → step → execution. A row that is not as the caller believed raises SH002.
declare
  v_executor text;
  v_list jsonb;
  v jsonb;
  v_to text;
  v_begun boolean;
  v_deploys boolean;
  v_outcome text;
  v_claimed boolean;
  v_count integer;
  v_split integer := coalesce((p ->> 'split')::integer, 0);
  v_bulk integer := 0;
  v_bulk_expected integer := 0;
  v_seq integer;
begin
  v_seq := p_seq + jsonb_array_length(p -> 'transitions');
  if p ? 'pending' then
    -- How many these are must be known before the run's row is written: a final run is written once.
    perform from pipeline_runs r where r.id = p_run for no key update;
    select count(*) into v_bulk_expected
    from job_steps s
    where s.status = 'pending'
      and s.job_id in (select (x ->> 'job')::uuid from jsonb_array_elements(p -> 'pending') x);
    v_seq := v_seq + v_bulk_expected;
  end if;

  if p ? 'run' then
    v := p -> 'run';
    v_to := v #>> '{status,1}';
    update pipeline_runs r
    set seq = v_seq,
      status = coalesce(v_to, r.status),
      phase = coalesce(v #>> '{phase,1}', r.phase),
      started_at = case when v_to = 'running' then now() else r.started_at end,
      finished_at = case when v_to <> 'running' then now() end,
      failure_reason = v ->> 'reason',
      failure_message = v ->> 'message'
    where r.id = p_run and r.seq = p_seq and r.owner_node = p_node and r.owner_epoch = p_epoch
      and r.status = coalesce(v #>> '{status,0}', r.status) and r.phase = coalesce(v #>> '{phase,0}', r.phase)
    returning r.executor_type into v_executor;
    if not found and exists (
      select from pipeline_runs r
      where r.id = p_run and r.seq = p_seq and r.owner_node = p_node and r.owner_epoch = p_epoch
    ) then
      raise exception 'run % is not as expected: %', p_run, v using errcode = 'SH002';
    end if;
  else
    update pipeline_runs r
    set seq = v_seq
    where r.id = p_run and r.seq = p_seq and r.owner_node = p_node and r.owner_epoch = p_epoch
    returning r.executor_type into v_executor;
  end if;
  if v_executor is null then
    return null;
  end if;

  -- One row at a time by its key: a join against the list would be planned by guesses about the list's length.
  v_list := p -> 'jobs';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    v_to := v ->> 't';
    update jobs j
    set status = v_to,
      started_at = case when v_to = 'running' then now() else j.started_at end,
      finished_at = case when v_to <> 'running' then now() end,
      failure_reason = v ->> 'reason',
      failure_message = v ->> 'message'
    where j.id = (v ->> 'id')::uuid and j.pipeline_run_id = p_run and j.status = v ->> 'f';
    if not found then
      raise exception 'a job of run % is not as expected: %', p_run, v using errcode = 'SH002';
    end if;
  end loop;

  v_list := p -> 'steps';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    v_to := v ->> 't';
    update job_steps s
    set status = v_to,
      started_at = case when v_to = 'running' then now() else s.started_at end,
      finished_at = case when v_to <> 'running' then now() end
    where s.id = (v ->> 'id')::uuid and s.status = v ->> 'f'
      and (select j.pipeline_run_id from jobs j where j.id = s.job_id) = p_run;
    if not found then
      raise exception 'a step of run % is not as expected: %', p_run, v using errcode = 'SH002';
    end if;
  end loop;

  v_list := p -> 'pending';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    with moved as (
      update job_steps s
      set status = v ->> 't', finished_at = now()
      where s.job_id = (v ->> 'job')::uuid and s.status = 'pending'
        and (select j.pipeline_run_id from jobs j where j.id = s.job_id) = p_run
      returning s.id, s.execution_order
    )
    insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause)
    select p_run, p_seq + v_split + v_bulk + row_number() over (order by m.execution_order), 'step', m.id,
      'pending', v ->> 't', p_cause
    from moved m;
    get diagnostics v_count = row_count;
    v_bulk := v_bulk + v_count;
  end loop;
  if v_bulk <> v_bulk_expected then
    raise exception 'the pending steps of run % are not as expected: % moved, % were pending', p_run, v_bulk,
      v_bulk_expected using errcode = 'SH002';
  end if;

  v_list := p -> 'executions';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    v_to := v ->> 't';
    if v_to = 'running' then
      update executions e
      set status = v_to, begun_at = coalesce((v ->> 'begun_at')::timestamptz, now())
      where e.id = (v ->> 'id')::uuid and e.pipeline_run_id = p_run and e.status = v ->> 'f'
      returning false into v_deploys;
    else
      update executions e
      set status = v_to,
        completed_at = now(),
        exit_code = (v ->> 'exit_code')::integer,
        failure_reason = v ->> 'reason',
        message = v ->> 'message',
        log_bytes = coalesce((v ->> 'log_bytes')::bigint, e.log_bytes),
        log_dropped = coalesce((v ->> 'log_dropped')::bigint, e.log_dropped),
        kill_rung = v ->> 'kill_rung'
      where e.id = (v ->> 'id')::uuid and e.pipeline_run_id = p_run and e.status = v ->> 'f'
      returning e.begun_at is not null, e.deploys into v_begun, v_deploys;
    end if;
    if not found then
      raise exception 'an execution of run % is not as expected: %', p_run, v using errcode = 'SH002';
    end if;
    if v_deploys then
      -- A deploy that began and of which nothing is known holds its release until a person has looked.
      v_outcome := case
        when v_to = 'succeeded' then 'succeeded'
        when v ->> 'reason' = 'deploy_unknown' or (v_to = 'lost' and v_begun) then 'unknown'
        when v_to = 'canceled' then 'canceled'
        else 'failed' end;
      update deployments d
      set outcome = v_outcome, finished_at = case when v_outcome <> 'unknown' then now() end
      where d.execution_id = (v ->> 'id')::uuid and d.outcome = 'active';
    end if;
  end loop;

  v_list := p -> 'artifacts';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    insert into artifacts (id, job_id, execution_id, name, artifact_type, storage_path, checksum, size, metadata)
    select (v ->> 'id')::uuid, s.job_id, e.id, v ->> 'name', v ->> 'type', v ->> 'path', v ->> 'sha256',
      (v ->> 'size')::bigint, v -> 'metadata'
    from executions e
    join job_steps s on s.id = e.job_step_id
    where e.id = (v ->> 'execution')::uuid and e.pipeline_run_id = p_run;
    if not found then
      raise exception 'an artifact names no execution of run %: %', p_run, v using errcode = 'SH002';
    end if;
  end loop;

  v_list := p -> 'attempts';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    insert into jobs (id, pipeline_run_id, job_type, name, attempt)
    select (v ->> 'id')::uuid, p_run, j.job_type, j.name, (v ->> 'attempt')::integer
    from jobs j
    where j.id = (v ->> 'previous')::uuid and j.pipeline_run_id = p_run
      and j.attempt = (v ->> 'attempt')::integer - 1 and j.status in ('failed', 'canceled');
    if not found then
      raise exception 'a new attempt in run % follows no failed job: %', p_run, v using errcode = 'SH002';
    end if;
    insert into job_steps (id, job_id, name, execution_order, parallel_group, plan)
    select new_id(), (v ->> 'id')::uuid, s.name, s.execution_order, s.parallel_group, s.plan
    from job_steps s
    where s.job_id = (v ->> 'previous')::uuid;
  end loop;

  v_list := p -> 'started';
  for i in 0 .. coalesce(jsonb_array_length(v_list), 0) - 1 loop
    v := v_list -> i;
    v_claimed := (v ->> 'claimed')::boolean;
    insert into executions (id, job_step_id, pipeline_run_id, attempt, executor_type, owner_node, node, epoch, spec,
      deploys, ready_at)
    select (v ->> 'id')::uuid, s.id, p_run, (v ->> 'attempt')::integer, v_executor, p_node,
      case when v_claimed then p_node end, case when v_claimed then p_epoch end,
      jsonb_build_object('job_step_id', s.id, 'attempt', v -> 'attempt'), s.deploys, now()
    from job_steps s
    where s.id = (v ->> 'step')::uuid and s.status = 'running'
      and (select j.pipeline_run_id from jobs j where j.id = s.job_id) = p_run
    returning deploys into v_deploys;
    if not found then
      raise exception 'a new execution belongs to no running step of run %: %', p_run, v using errcode = 'SH002';
    end if;
    if v_deploys then
      insert into deployments (target, namespace, release, digests, pipeline_run_id, execution_id)
      select s.plan #>> '{deploy,target}', s.plan #>> '{deploy,namespace}', s.plan #>> '{deploy,release}',
        array(
          select distinct a.checksum
          from (
            select a.name, a.checksum::text
            from jobs j
            join artifacts a on a.job_id = j.id
            where j.pipeline_run_id = p_run and j.status = 'succeeded'
            union all
            select a.name, a.checksum::text
            from adopted_artifacts d
            join artifacts a on a.id = d.artifact_id
            where d.pipeline_run_id = p_run
          ) a
          where a.name in (select input ->> 'name' from jsonb_array_elements(s.plan -> 'inputs') input)
          order by a.checksum
        ),
        p_run, (v ->> 'id')::uuid
      from job_steps s
      where s.id = (v ->> 'step')::uuid;
    end if;
  end loop;

  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select p_run, p_seq + x.n + case when x.n > v_split then v_bulk else 0 end,
    x.value ->> 'e', (x.value ->> 'i')::uuid, x.value ->> 'f', x.value ->> 't', p_cause, x.value -> 'v'
  from jsonb_array_elements(p -> 'transitions') with ordinality as x (value, n);
  return v_seq;
end
$$;

-- As in 0003, but that what another run has taken over stays.
create or replace function purge_runs(p_before timestamptz, p_limit integer)
returns table (kind text, id uuid, backend text, path text)
language plpgsql
set shipinator.purging = 'on'
as $$
-- The one function that deletes history: at most p_limit final runs that ended before p_before, the oldest first, with
-- all that hangs on them. A run with a deployment, or with an artifact whose digest any deployment names, stays; and one
-- of which another run has taken an artifact over, as long as that one is there.
-- Returns a row per purged run ('run', its id), artifact ('artifact', id, backend, path) and log ('log', execution id,
-- null, ref): their bytes are the caller's to remove after the commit.
declare
  v_runs uuid[];
begin
  select array_agg(chosen.id) into v_runs
  from (
    select r.id
    from pipeline_runs r
    where r.finished_at < p_before
      and not exists (select from deployments d where d.pipeline_run_id = r.id)
      and not exists (
        select from jobs j join artifacts a on a.job_id = j.id
        where j.pipeline_run_id = r.id and exists (select from deployments d where d.digests @> array[a.checksum::text]))
      and not exists (
        select from jobs j join artifacts a on a.job_id = j.id join adopted_artifacts d on d.artifact_id = a.id
        where j.pipeline_run_id = r.id)
    order by r.finished_at, r.id
    limit p_limit
    for update skip locked
  ) chosen;
  -- Asked when the rows are locked: who takes over holds them as well.
  select array_agg(chosen.id) into v_runs
  from unnest(v_runs) chosen (id)
  where not exists (
    select from jobs j join artifacts a on a.job_id = j.id join adopted_artifacts d on d.artifact_id = a.id
    where j.pipeline_run_id = chosen.id);
  if v_runs is null then
    return;
  end if;

  update pipeline_runs r set retried_from = null where r.retried_from = any (v_runs);
  delete from adopted_artifacts d where d.pipeline_run_id = any (v_runs);
  return query
    delete from artifacts a using jobs j where j.id = a.job_id and j.pipeline_run_id = any (v_runs)
    returning 'artifact'::text, a.id, a.storage_backend, a.storage_path;
  return query
    delete from executions e where e.pipeline_run_id = any (v_runs)
    returning 'log'::text, e.id, null::text, e.logs_ref;
  delete from job_steps s using jobs j where j.id = s.job_id and j.pipeline_run_id = any (v_runs);
  delete from jobs j where j.pipeline_run_id = any (v_runs);
  delete from transitions t where t.run_id = any (v_runs);
  return query
    delete from pipeline_runs r where r.id = any (v_runs)
    returning 'run'::text, r.id, null::text, null::text;
  delete from pipeline_configs c
  where c.created_at < p_before
    and not exists (select from pipeline_runs r where r.config_digest = c.digest);
end
$$;
