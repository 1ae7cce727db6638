-- Up Migration
-- Executions that are carried out elsewhere and report by callback: what was handed out, and what was said of it. None of
-- this is run state: the orchestrator reads it as it reads an executor's files.

create table execution_reports (
  execution_id uuid primary key,
  attempt integer not null check (attempt >= 1),
  -- A question about a lost attempt has an execution of its own that no other table knows, and this run.
  run_id uuid not null references pipeline_runs on delete cascade,
  job_id uuid not null,
  job_attempt integer not null check (job_attempt >= 1),
  spec jsonb not null,
  submitted_at timestamptz not null default now(),
  -- Whoever starts it elsewhere has been asked to.
  launched_at timestamptz,
  -- The one executor that may carry it out, in its own words (a pod's uid).
  claimed_by text,
  claimed_at timestamptz,
  begun_at timestamptz,
  heard_at timestamptz,
  -- It is to end; no begin is given any more.
  stop_cause text check (stop_cause in ('canceled', 'timed_out')),
  stop_grace_seconds integer,
  -- The final report, the first one, as it came.
  final_status text check (final_status in ('success', 'failed', 'canceled')),
  report jsonb,
  reported_at timestamptz,
  -- The end that the server gave it, for want of a report: nothing that comes later counts.
  closed_reason text check (closed_reason in ('canceled', 'timed_out', 'unschedulable', 'start_failed', 'executor_lost')),
  closed_at timestamptz,
  -- All of its log has come, or is waited for no more; `log_complete`: and it is what the report says.
  sealed_at timestamptz,
  log_complete boolean,
  check ((claimed_by is null) = (claimed_at is null)),
  check (begun_at is null or claimed_at is not null),
  check ((stop_cause is null) = (stop_grace_seconds is null)),
  check ((final_status is null) = (report is null) and (report is null) = (reported_at is null)),
  check (final_status is null or claimed_at is not null),
  check ((closed_reason is null) = (closed_at is null)),
  check (final_status is null or closed_at is null),
  check (final_status <> 'success' or begun_at is not null),
  check ((sealed_at is null) = (log_complete is null)),
  check (sealed_at is null or final_status is not null or closed_at is not null)
);

create index execution_reports_run_id_idx on execution_reports (run_id);
create index execution_reports_job_id_idx on execution_reports (job_id, job_attempt);
create index execution_reports_unsealed_idx on execution_reports (coalesce(reported_at, closed_at))
  where sealed_at is null and (reported_at is not null or closed_at is not null);

create function guard_execution_report() returns trigger
language plpgsql
as $$
-- What was said once stays, and what has ended is over.
begin
  if old.final_status is not null and (new.final_status, new.report, new.closed_at)
      is distinct from (old.final_status, old.report, old.closed_at)
    or old.closed_at is not null and (new.closed_reason, new.closed_at, new.final_status)
      is distinct from (old.closed_reason, old.closed_at, old.final_status)
    or old.claimed_by is not null and new.claimed_by is distinct from old.claimed_by
    or old.begun_at is not null and new.begun_at is distinct from old.begun_at
    or (old.final_status is not null or old.closed_at is not null)
      and (new.claimed_by, new.begun_at) is distinct from (old.claimed_by, old.begun_at)
    or old.stop_cause is not null and new.begun_at is distinct from old.begun_at
    or (new.execution_id, new.attempt, new.spec) is distinct from (old.execution_id, old.attempt, old.spec)
  then
    raise exception 'the report of execution % contradicts what is recorded', old.execution_id
      using errcode = 'check_violation', table = 'execution_reports';
  end if;
  return new;
end
$$;

create trigger guard_execution_report before update on execution_reports
  for each row execute function guard_execution_report();

-- Outputs that came before the end. A row of `artifacts` is made of each with the settlement of its execution.
create table execution_uploads (
  execution_id uuid not null references execution_reports on delete cascade,
  name text not null,
  artifact_id uuid not null unique,
  checksum text not null check (checksum ~ '^[0-9a-f]{64}$'),
  size bigint not null check (size >= 0),
  storage_path text not null,
  metadata jsonb not null,
  created_at timestamptz not null default now(),
  primary key (execution_id, name)
);

-- What contradicted a final state.
create table execution_evidence (
  id bigint generated always as identity primary key,
  execution_id uuid not null references execution_reports on delete cascade,
  said_by text,
  report jsonb not null,
  created_at timestamptz not null default now()
);

create index execution_evidence_execution_id_idx on execution_evidence (execution_id);
