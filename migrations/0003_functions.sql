-- Up Migration
-- The two writers that need more than one statement for one decision: the apply of a run's advance (one round trip and
-- one commit, because it is what every step of every run costs), and the purge.

create function apply_run_changes(p_run uuid, p_node uuid, p_epoch integer, p_seq integer, p_cause text, p jsonb)
returns integer
language plpgsql
as $$
-- Applies one advance, all or nothing, and returns the run's new seq; null when the run has moved on or belongs to
-- another node or epoch. p, made by src/store/apply.ts, every part optional but `transitions`:
--   run           {status: [from, to] | null, phase: [from, to] | null, reason, message}
--   jobs, steps, executions
--                 a list of hops, each a list of rows {id, f (from), t (to), …}: one row takes one step of its machine
--                 in one hop, so that the triggers see every move
--   pending       [{job, t}]   every pending step of the job goes to t
--   started       [{id, step, attempt, claimed}]   new executions
--   attempts      [{id, previous, attempt}]   new attempts of jobs
--   artifacts     [{id, execution, name, type, path, sha256, size, metadata}]
--   transitions   [{e (entity), i (id), f, t, v (evidence)}] in order; the moves of `pending` come after the first
--                 `split` of them
-- Locks run → job → step → execution. A row that is not as the caller believed raises SH002.
declare
  v_executor text;
  v_status text;
  v_phase text;
  v_split integer := coalesce((p ->> 'split')::integer, 0);
  v_bulk integer := 0;
  v_count integer;
  v_hop jsonb;
  v_seq integer;
begin
  select r.executor_type, r.status, r.phase into v_executor, v_status, v_phase
  from pipeline_runs r
  where r.id = p_run and r.seq = p_seq and r.owner_node = p_node and r.owner_epoch = p_epoch
  for no key update;
  if not found then
    return null;
  end if;

  if p ? 'jobs' then
    for v_hop in select value from jsonb_array_elements(p -> 'jobs') loop
      update jobs j
      set status = c.t,
        started_at = case when c.t = 'running' then now() else j.started_at end,
        finished_at = case when c.t = 'running' then null else now() end,
        failure_reason = c.reason,
        failure_message = c.message
      from jsonb_to_recordset(v_hop) as c (id uuid, f text, t text, reason text, message text)
      where j.id = c.id and j.pipeline_run_id = p_run and j.status = c.f;
      get diagnostics v_count = row_count;
      if v_count <> jsonb_array_length(v_hop) then
        raise exception 'a job of run % is not as expected: %', p_run, v_hop using errcode = 'SH002';
      end if;
    end loop;
  end if;

  if p ? 'steps' then
    for v_hop in select value from jsonb_array_elements(p -> 'steps') loop
      update job_steps s
      set status = c.t,
        started_at = case when c.t = 'running' then now() else s.started_at end,
        finished_at = case when c.t = 'running' then null else now() end
      from jsonb_to_recordset(v_hop) as c (id uuid, f text, t text), jobs j
      where s.id = c.id and s.status = c.f and j.id = s.job_id and j.pipeline_run_id = p_run;
      get diagnostics v_count = row_count;
      if v_count <> jsonb_array_length(v_hop) then
        raise exception 'a step of run % is not as expected: %', p_run, v_hop using errcode = 'SH002';
      end if;
    end loop;
  end if;

  if p ? 'pending' then
    for v_hop in select value from jsonb_array_elements(p -> 'pending') loop
      with moved as (
        update job_steps s
        set status = v_hop ->> 't', finished_at = now()
        from jobs j
        where s.job_id = (v_hop ->> 'job')::uuid and s.status = 'pending'
          and j.id = s.job_id and j.pipeline_run_id = p_run
        returning s.id, s.execution_order
      )
      insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause)
      select p_run, p_seq + v_split + v_bulk + row_number() over (order by m.execution_order), 'step', m.id,
        'pending', v_hop ->> 't', p_cause
      from moved m;
      get diagnostics v_count = row_count;
      v_bulk := v_bulk + v_count;
    end loop;
  end if;

  if p ? 'executions' then
    for v_hop in select value from jsonb_array_elements(p -> 'executions') loop
      update executions e
      set status = c.t,
        begun_at = case when c.t = 'running' then coalesce(c.begun_at, now()) else e.begun_at end,
        completed_at = case when c.t = 'running' then null else now() end,
        exit_code = c.exit_code,
        failure_reason = c.reason,
        message = c.message,
        log_bytes = coalesce(c.log_bytes, e.log_bytes),
        log_dropped = coalesce(c.log_dropped, e.log_dropped),
        kill_rung = c.kill_rung
      from jsonb_to_recordset(v_hop) as c (id uuid, f text, t text, begun_at timestamptz, exit_code integer,
        reason text, message text, log_bytes bigint, log_dropped bigint, kill_rung text)
      where e.id = c.id and e.pipeline_run_id = p_run and e.status = c.f;
      get diagnostics v_count = row_count;
      if v_count <> jsonb_array_length(v_hop) then
        raise exception 'an execution of run % is not as expected: %', p_run, v_hop using errcode = 'SH002';
      end if;
      -- A deploy that began and of which nothing is known holds its release until a person has looked.
      update deployments d
      set outcome = case
          when c.t = 'succeeded' then 'succeeded'
          when c.reason = 'deploy_unknown' or (c.t = 'lost' and e.begun_at is not null) then 'unknown'
          when c.t = 'canceled' then 'canceled'
          else 'failed' end,
        finished_at = case
          when c.t <> 'succeeded' and (c.reason = 'deploy_unknown' or (c.t = 'lost' and e.begun_at is not null))
          then null else now() end
      from jsonb_to_recordset(v_hop) as c (id uuid, t text, reason text), executions e
      where d.execution_id = c.id and d.outcome = 'active' and c.t <> 'running' and e.id = c.id;
    end loop;
  end if;

  if p ? 'artifacts' then
    insert into artifacts (id, job_id, execution_id, name, artifact_type, storage_path, checksum, size, metadata)
    select a.id, s.job_id, e.id, a.name, a.type, a.path, a.sha256, a.size, a.metadata
    from jsonb_to_recordset(p -> 'artifacts') as a (id uuid, execution uuid, name text, type text, path text,
      sha256 text, size bigint, metadata jsonb)
    join executions e on e.id = a.execution and e.pipeline_run_id = p_run
    join job_steps s on s.id = e.job_step_id;
    get diagnostics v_count = row_count;
    if v_count <> jsonb_array_length(p -> 'artifacts') then
      raise exception 'an artifact of run % names no execution of it', p_run using errcode = 'SH002';
    end if;
  end if;

  if p ? 'attempts' then
    insert into jobs (id, pipeline_run_id, job_type, name, attempt)
    select a.id, j.pipeline_run_id, j.job_type, j.name, a.attempt
    from jsonb_to_recordset(p -> 'attempts') as a (id uuid, previous uuid, attempt integer)
    join jobs j on j.id = a.previous and j.pipeline_run_id = p_run and j.attempt = a.attempt - 1
      and j.status in ('failed', 'canceled');
    get diagnostics v_count = row_count;
    if v_count <> jsonb_array_length(p -> 'attempts') then
      raise exception 'a new attempt in run % follows no failed job: %', p_run, p -> 'attempts' using errcode = 'SH002';
    end if;
    insert into job_steps (id, job_id, name, execution_order, parallel_group, plan)
    select new_id(), a.id, s.name, s.execution_order, s.parallel_group, s.plan
    from jsonb_to_recordset(p -> 'attempts') as a (id uuid, previous uuid)
    join job_steps s on s.job_id = a.previous;
  end if;

  if p ? 'started' then
    with started as (
      insert into executions (id, job_step_id, pipeline_run_id, attempt, executor_type, owner_node, node, epoch, spec,
        ready_at)
      select c.id, s.id, p_run, c.attempt, v_executor, p_node,
        case when c.claimed then p_node end, case when c.claimed then p_epoch end,
        jsonb_build_object('job_step_id', s.id, 'attempt', c.attempt), now()
      from jsonb_to_recordset(p -> 'started') as c (id uuid, step uuid, attempt integer, claimed boolean)
      join job_steps s on s.id = c.step and s.status = 'running'
      join jobs j on j.id = s.job_id and j.pipeline_run_id = p_run
      returning id, job_step_id
    ), deployed as (
      insert into deployments (target, namespace, release, digests, pipeline_run_id, execution_id)
      select s.plan -> 'deploy' ->> 'target', s.plan -> 'deploy' ->> 'namespace', s.plan -> 'deploy' ->> 'release',
        array(
          select distinct a.checksum
          from jobs j
          join artifacts a on a.job_id = j.id
          where j.pipeline_run_id = p_run and j.status = 'succeeded'
            and a.name in (select i ->> 'name' from jsonb_array_elements(s.plan -> 'inputs') i)
          order by a.checksum
        ),
        p_run, x.id
      from started x
      join job_steps s on s.id = x.job_step_id and s.deploys
    )
    select count(*) into v_count from started;
    if v_count <> jsonb_array_length(p -> 'started') then
      raise exception 'a new execution in run % belongs to no running step: %', p_run, p -> 'started'
        using errcode = 'SH002';
    end if;
  end if;

  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select p_run, p_seq + x.n + case when x.n > v_split then v_bulk else 0 end,
    x.value ->> 'e', (x.value ->> 'i')::uuid, x.value ->> 'f', x.value ->> 't', p_cause, x.value -> 'v'
  from jsonb_array_elements(p -> 'transitions') with ordinality as x (value, n);

  v_seq := p_seq + v_bulk + jsonb_array_length(p -> 'transitions');
  if p ? 'run' then
    if v_status <> coalesce(p #>> '{run,status,0}', v_status) or v_phase <> coalesce(p #>> '{run,phase,0}', v_phase) then
      raise exception 'run % is not as expected: % and %', p_run, v_status, v_phase using errcode = 'SH002';
    end if;
    v_status := coalesce(p #>> '{run,status,1}', v_status);
    update pipeline_runs r
    set seq = v_seq,
      status = v_status,
      phase = coalesce(p #>> '{run,phase,1}', v_phase),
      started_at = case when v_status = 'running' then coalesce(r.started_at, now()) else r.started_at end,
      finished_at = case when v_status in ('pending', 'running') then null else now() end,
      failure_reason = p #>> '{run,reason}',
      failure_message = p #>> '{run,message}'
    where r.id = p_run;
  else
    update pipeline_runs r set seq = v_seq where r.id = p_run;
  end if;
  return v_seq;
end
$$;

create function purge_runs(p_before timestamptz, p_limit integer)
returns table (kind text, id uuid, backend text, path text)
language plpgsql
set shipinator.purging = 'on'
as $$
-- The one function that deletes history: at most p_limit final runs that ended before p_before, the oldest first, with
-- all that hangs on them. A run with a deployment, or with an artifact whose digest any deployment names, stays.
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
        where j.pipeline_run_id = r.id and exists (select from deployments d where d.digests @> array[a.checksum]))
    order by r.finished_at, r.id
    limit p_limit
    for update skip locked
  ) chosen;
  if v_runs is null then
    return;
  end if;

  update pipeline_runs r set retried_from = null where r.retried_from = any (v_runs);
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
