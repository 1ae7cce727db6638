-- Up Migration
-- The tables. Names and columns are fixed by the data model; ids are UUIDv7 made by the program and carry no order,
-- times come from the database's clock. What may follow what is guarded in 0002, written by the functions of 0003.

create function new_id() returns uuid
language sql volatile parallel safe
as $$
  -- A UUIDv7 for rows that the database makes itself (Postgres before 18 has no uuidv7()).
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid
$$;

-- The closed sets of words. As domains, because Postgres keeps a domain's CHECK ready in the session, and reads and plans
-- a table's CHECKs anew for every statement that writes: on the hot path that was half of the time.
create domain run_status as text check (value in ('pending', 'running', 'success', 'failed', 'canceled'));
create domain run_phase as text
  check (value in ('submitted', 'building', 'built', 'testing', 'tested', 'deploying', 'deployed'));
create domain stage_status as text
  check (value in ('pending', 'running', 'succeeded', 'failed', 'canceled', 'skipped'));
create domain execution_status as text
  check (value in ('pending', 'running', 'succeeded', 'failed', 'canceled', 'lost'));
create domain failure_reason as text check (value in ('script_failed', 'timed_out', 'out_of_memory', 'evicted',
  'node_lost', 'image_pull_failed', 'unschedulable', 'start_failed', 'executor_lost', 'artifact_missing',
  'artifact_corrupt', 'source_unavailable', 'config_invalid', 'deploy_unknown', 'canceled', 'internal'));
create domain job_type as text check (value in ('build', 'test', 'deploy'));
create domain artifact_type as text
  check (value in ('binary', 'oci_image', 'helm_chart', 'manifest', 'coverage', 'test_report'));
create domain trigger_type as text check (value in ('pr', 'push', 'manual', 'cron'));
create domain kill_rung as text check (value in ('cgroup', 'freezer', 'session'));
create domain transition_entity as text check (value in ('run', 'phase', 'job', 'step', 'execution'));
create domain sha256_hex as text check (value ~ '^[0-9a-f]{64}$');

create table nodes (
  id uuid primary key,
  data_directory text not null,
  host text not null,
  instance text not null,
  boot_id text not null,
  pid_namespace text not null,
  pid integer not null,
  pid_start_time text not null,
  epoch integer not null default 1 check (epoch > 0),
  -- Moves with every renewal of the lease: who judges a node compares it and trusts no clock.
  beats bigint not null default 0,
  lease_until timestamptz not null,
  away_until timestamptz,
  started_at timestamptz not null default now(),
  ended_at timestamptz
);
create index nodes_list on nodes (started_at, id);
create index nodes_present on nodes (data_directory) where ended_at is null;

create table projects (
  id uuid primary key,
  name text not null unique check (octet_length(name) between 1 and 1024),
  description text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index projects_list on projects (created_at, id);

create table repositories (
  id uuid primary key,
  project_id uuid not null references projects,
  vcs_provider text not null check (vcs_provider in ('git', 'gitea', 'forgejo', 'github', 'gitlab')),
  -- Bounded, because it is unique and an index entry holds at most 2,704 bytes.
  clone_url text not null check (octet_length(clone_url) between 1 and 2048),
  default_branch text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, clone_url)
);
create index repositories_list on repositories (created_at, id);

create table pipelines (
  id uuid primary key,
  repository_id uuid not null references repositories,
  name text not null check (octet_length(name) between 1 and 1024),
  trigger_type trigger_type not null,
  -- The number of the next run.
  next_number integer not null default 1 check (next_number > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (repository_id, name)
);
create index pipelines_list on pipelines (created_at, id);

create table pipeline_configs (
  -- Lower-case hex SHA-256 of the canonical JSON.
  digest sha256_hex primary key,
  config jsonb not null,
  created_at timestamptz not null default now()
);

create table pipeline_runs (
  id uuid primary key,
  pipeline_id uuid not null references pipelines,
  number integer not null,
  git_ref text,
  git_sha text,
  -- The git tree that every job checks out; null until the run is resolved.
  tree text,
  subpath text,
  dirty boolean not null default false,
  branch text,
  tag text,
  status run_status not null default 'pending',
  phase run_phase not null default 'submitted',
  trigger trigger_type not null,
  -- Null: every stage that the file has.
  requested_stages job_type[],
  executor_type text not null,
  config_digest sha256_hex references pipeline_configs,
  failure_reason failure_reason,
  failure_message text,
  cancel_requested_at timestamptz,
  cancel_requested_by text,
  retried_from uuid references pipeline_runs,
  owner_node uuid references nodes,
  owner_epoch integer,
  -- Count of recorded transitions; compared and set by every writer.
  seq integer not null default 0,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (pipeline_id, number),
  constraint pipeline_runs_sound check (
    (finished_at is null) = (status in ('pending', 'running'))
    and case when started_at is null then status not in ('running', 'success') else status <> 'pending' end
    and case when failure_reason is null then status <> 'failed' else status in ('failed', 'canceled') end
    and (owner_node is null) = (owner_epoch is null)
    and (cancel_requested_at is null) = (cancel_requested_by is null))
) with (fillfactor = 80);
create index pipeline_runs_list on pipeline_runs (created_at, id);
create index pipeline_runs_list_of_pipeline on pipeline_runs (pipeline_id, created_at, id);
create index pipeline_runs_list_of_status on pipeline_runs (status, created_at, id);
create index pipeline_runs_unfinished on pipeline_runs (created_at, id) where status in ('pending', 'running');
create index pipeline_runs_number on pipeline_runs (number);
create index pipeline_runs_purge on pipeline_runs (finished_at, id) where finished_at is not null;
create index pipeline_runs_config_digest on pipeline_runs (config_digest);
create index pipeline_runs_retried_from on pipeline_runs (retried_from) where retried_from is not null;
create index pipeline_runs_owner_node on pipeline_runs (owner_node);

create table jobs (
  id uuid primary key,
  pipeline_run_id uuid not null references pipeline_runs,
  job_type job_type not null,
  name text not null,
  status stage_status not null default 'pending',
  attempt integer not null default 1,
  failure_reason failure_reason,
  failure_message text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (pipeline_run_id, job_type, attempt),
  constraint jobs_sound check (
    (finished_at is null) = (status in ('pending', 'running'))
    and case when started_at is null then status not in ('running', 'succeeded')
      else status not in ('pending', 'skipped') end
    and case when failure_reason is null then status <> 'failed' else status in ('failed', 'canceled') end)
) with (fillfactor = 80);

create table job_steps (
  id uuid primary key,
  job_id uuid not null references jobs,
  name text not null,
  execution_order integer not null,
  -- Null: sequential.
  parallel_group text,
  plan jsonb not null,
  -- Whether the step deploys, so that the hot path need not open a large plan to know it.
  deploys boolean not null generated always as (coalesce(jsonb_typeof(plan -> 'deploy') = 'object', false)) stored,
  status stage_status not null default 'pending',
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (job_id, execution_order),
  constraint job_steps_sound check (
    (finished_at is null) = (status in ('pending', 'running'))
    and case when started_at is null then status not in ('running', 'succeeded')
      else status not in ('pending', 'skipped') end)
) with (fillfactor = 80);
-- The frontier of a run: what is next, what runs, what failed, whether anything was canceled. One index and no partial
-- ones, because every index costs each of a step's moves.
create index job_steps_frontier on job_steps (job_id, status, execution_order);

create table executions (
  id uuid primary key,
  job_step_id uuid not null references job_steps,
  -- The step's run, so that claiming, taking over and purging need no join: a copy made by the statement that reads the
  -- step, and no second foreign key to check for every attempt.
  pipeline_run_id uuid not null,
  attempt integer not null,
  executor_type text not null,
  external_id text,
  status execution_status not null default 'pending',
  -- The run's owner, who alone may claim: a copy, so that a claim reads the claim index and touches this row alone.
  owner_node uuid,
  -- Who carries it out; null while it waits for a slot. A node's row is never removed, so no foreign key either.
  node uuid,
  epoch integer,
  spec jsonb not null,
  -- Whether a deployment row goes with it.
  deploys boolean not null default false,
  submitted_at timestamptz not null default now(),
  not_before timestamptz,
  -- Set when it is admitted; null while it is not, and again when its run is to be canceled.
  ready_at timestamptz,
  begun_at timestamptz,
  completed_at timestamptz,
  exit_code integer,
  failure_reason failure_reason,
  message text,
  logs_ref text,
  log_bytes bigint,
  log_dropped bigint,
  kill_rung kill_rung,
  unique (job_step_id, attempt),
  constraint executions_sound check (
    (completed_at is null) = (status in ('pending', 'running'))
    and case when begun_at is null then status not in ('running', 'succeeded') else status <> 'pending' end
    and case when failure_reason is null then status not in ('failed', 'lost')
      else status in ('failed', 'canceled', 'lost') end
    and (node is null) = (epoch is null))
) with (fillfactor = 80);
create unique index executions_one_live on executions (job_step_id) where status in ('pending', 'running');
create index executions_run on executions (pipeline_run_id);
create index executions_claim on executions (owner_node, ready_at, id)
  where status = 'pending' and node is null and ready_at is not null;

create table artifacts (
  id uuid primary key,
  job_id uuid not null references jobs,
  execution_id uuid not null references executions,
  name text not null,
  artifact_type artifact_type not null,
  storage_backend text not null default 'filesystem',
  storage_path text not null,
  -- Lower-case hex SHA-256 of the payload.
  checksum sha256_hex not null,
  size bigint not null check (size >= 0),
  metadata jsonb not null,
  created_at timestamptz not null default now(),
  expired_at timestamptz,
  unique (execution_id, name)
);
create index artifacts_list on artifacts (created_at, id);
create index artifacts_job_id on artifacts (job_id);

create table deployments (
  id uuid primary key default new_id(),
  target text not null,
  namespace text not null,
  -- Null where the deploy has no release to protect.
  release text,
  -- SHA-256 of the artifacts that were deployed; they are kept as long as this row.
  digests text[] not null default '{}',
  pipeline_run_id uuid not null references pipeline_runs,
  execution_id uuid not null unique references executions,
  outcome text not null default 'active' check (outcome in ('active', 'succeeded', 'failed', 'unknown', 'canceled')),
  resolved_by text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint deployments_finished
    check ((outcome in ('succeeded', 'failed', 'canceled')) = (finished_at is not null))
);
create unique index deployments_one_active on deployments (target, namespace, release)
  where outcome in ('active', 'unknown');
create index deployments_list on deployments (created_at, id);
create index deployments_run on deployments (pipeline_run_id);
create index deployments_digests on deployments using gin (digests);

-- What happened, append-only. No foreign key: a row is written in the transaction that holds its run's lock.
create table transitions (
  run_id uuid not null,
  seq integer not null,
  entity transition_entity not null,
  entity_id uuid not null,
  -- Null: the entity was made. Equal to to_state: something was recorded that moved nothing (a cancel request).
  from_state text,
  to_state text not null,
  cause text not null,
  evidence jsonb,
  at timestamptz not null default now(),
  unique (run_id, seq, at)
) partition by range (at);
create table transitions_default partition of transitions default;

create function ensure_transition_partitions(p_months integer) returns integer
language plpgsql
set lock_timeout = '3s'
as $$
-- Makes the partitions of this month and the p_months after it; returns how many were made. Rows that came before their
-- partition stay in the default one, and their month with them.
declare
  v_from timestamptz;
  v_to timestamptz;
  v_name text;
  v_made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_transition_partitions'));
  for i in 0..p_months loop
    v_from := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => i)) at time zone 'UTC';
    v_to := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => i + 1)) at time zone 'UTC';
    v_name := 'transitions_' || to_char(v_from at time zone 'UTC', 'YYYY_MM');
    continue when to_regclass(v_name) is not null;
    continue when exists (select from transitions_default where at >= v_from and at < v_to);
    execute format('create table %I partition of transitions for values from (%L) to (%L)', v_name, v_from, v_to);
    v_made := v_made + 1;
  end loop;
  return v_made;
end
$$;
select ensure_transition_partitions(1);
