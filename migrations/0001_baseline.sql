-- Up Migration
-- The schema of the first release. From here on migrations only add; each has a file of its own.
--
-- Ids are UUIDv7 made by the program and carry no order; times come from the database's clock. Sections: tables, guards,
-- notifications, and the functions that need more than one statement for one decision.

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

-- The closed sets of words. They are domains, because Postgres caches a domain's CHECK in the session, and plans a table's
-- CHECKs again for every statement that writes: on the hot path that was half of the time.
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
create domain cause_kind as text
  check (value in ('manual', 'push', 'pull_request', 'tag', 'cron', 'retry', 'api'));
create domain kill_strategy as text check (value in ('cgroup', 'freezer', 'session'));
create domain transition_entity as text check (value in ('run', 'phase', 'job', 'step', 'execution'));
create domain sha256_hex as text check (value ~ '^[0-9a-f]{64}$');
create domain token_scope as text check (value in ('read', 'trigger', 'admin'));

-- One row per Shipinator process.
create table instances (
  id uuid primary key,
  data_directory text not null,
  host text not null,
  boot_id text not null,
  pid_namespace text not null,
  pid integer not null,
  pid_start_time text not null,
  epoch integer not null default 1 check (epoch > 0),
  -- Increases with every renewal of the lease, so that others can compare it and trust no clock.
  renewals bigint not null default 0,
  lease_until timestamptz not null,
  away_until timestamptz,
  started_at timestamptz not null default now(),
  ended_at timestamptz
);
create index instances_list on instances (started_at, id);
create index instances_present on instances (data_directory) where ended_at is null;

create table projects (
  id uuid primary key,
  name text not null unique check (octet_length(name) between 1 and 1024),
  description text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- A removed project that has runs keeps its row. Its name has a suffix, so that the name is free again.
  archived_at timestamptz
);
create index projects_list on projects (created_at, id);

create table repositories (
  id uuid primary key,
  project_id uuid not null references projects,
  vcs_provider text not null check (vcs_provider in ('git', 'gitea', 'forgejo', 'github', 'gitlab')),
  -- Bounded, because it is unique and an index entry holds at most 2,704 bytes.
  clone_url text not null check (octet_length(clone_url) between 1 and 2048),
  default_branch text,
  -- Name of a secret of the project: a token or password (https), or a private key (ssh). No foreign key, because it may
  -- be set later.
  clone_secret text check (clone_secret ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  clone_username text check (octet_length(clone_username) between 1 and 256),
  -- Whether Git may use what the server's account has (credential helpers, ssh keys). A token of one project registers
  -- repositories without it: otherwise each project's admin could read whatever the server's account can.
  account_access boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, clone_url),
  check (clone_username is null or clone_secret is not null)
);
create index repositories_list on repositories (created_at, id);

create table pipelines (
  id uuid primary key,
  repository_id uuid not null references repositories,
  name text not null check (octet_length(name) between 1 and 1024),
  trigger_type cause_kind not null,
  -- The number of the next run.
  next_number integer not null default 1 check (next_number > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- As in `projects`.
  archived_at timestamptz,
  unique (repository_id, name),
  constraint pipelines_trigger_type check (trigger_type not in ('retry', 'api'))
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
  -- A copy, so that an index lists the runs of a project: a repository never changes its project.
  project_id uuid not null references projects,
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
  cause_kind cause_kind not null,
  cause_actor text not null,
  -- The forge's delivery; null where no forge sent one.
  cause_delivery text,
  -- Null: every stage that the file has.
  requested_stages job_type[],
  executor_type text not null,
  config_digest sha256_hex references pipeline_configs,
  failure_reason failure_reason,
  failure_message text,
  cancel_requested_at timestamptz,
  cancel_requested_by text,
  retried_from uuid references pipeline_runs,
  -- The stages that had succeeded in that run and are not run again in this one.
  reused_stages job_type[] not null default '{}',
  owner_id uuid references instances,
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
    and (owner_id is null) = (owner_epoch is null)
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
create index pipeline_runs_owner on pipeline_runs (owner_id);
create index pipeline_runs_list_of_project on pipeline_runs (project_id, created_at, id);
create index pipeline_runs_list_of_project_status on pipeline_runs (project_id, status, created_at, id);
create index pipeline_runs_list_of_project_cause on pipeline_runs (project_id, cause_kind, created_at, id);
create index pipeline_runs_list_of_pipeline_status on pipeline_runs (pipeline_id, status, created_at, id);
create index pipeline_runs_list_of_pipeline_cause on pipeline_runs (pipeline_id, cause_kind, created_at, id);
create index pipeline_runs_list_of_ref on pipeline_runs (pipeline_id, git_ref, created_at, id);
create index pipeline_runs_list_of_sha on pipeline_runs (git_sha, created_at, id) where git_sha is not null;

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
-- The run snapshot: what is next, what runs, what failed, whether anything was canceled. One index and no partial ones,
-- because every index costs each of a step's moves.
create index job_steps_snapshot on job_steps (job_id, status, execution_order);
-- The deploys that wait for a release, found when the deploy that held it ends: the oldest first.
create index job_steps_pending_deploys on job_steps (left(plan #>> '{deploy,release}', 100), created_at)
  where deploys and status = 'pending';

create table executions (
  id uuid primary key,
  job_step_id uuid not null references job_steps,
  -- The step's run, so that claiming, taking ownership and purging need no join: a copy made by the statement that reads the
  -- step, and no second foreign key to check for every attempt.
  pipeline_run_id uuid not null,
  attempt integer not null,
  executor_type text not null,
  external_id text,
  status execution_status not null default 'pending',
  -- The run's owner, which alone may claim: a copy, so that a claim reads the claim index and touches this row alone.
  owner_id uuid,
  -- The instance that claimed it; null while it waits for a slot. No foreign key, because an instance's row is never removed.
  instance_id uuid,
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
  kill_strategy kill_strategy,
  -- How often an instance began to collect the outputs. It is written before the collection, so that one that ended the
  -- process counts, and what ended two processes is not tried with a third.
  collections integer not null default 0 check (collections >= 0),
  unique (job_step_id, attempt),
  constraint executions_sound check (
    (completed_at is null) = (status in ('pending', 'running'))
    and case when begun_at is null then status not in ('running', 'succeeded') else status <> 'pending' end
    and case when failure_reason is null then status not in ('failed', 'lost')
      else status in ('failed', 'canceled', 'lost') end
    and (instance_id is null) = (epoch is null))
) with (fillfactor = 80);
create unique index executions_one_live on executions (job_step_id) where status in ('pending', 'running');
create index executions_run on executions (pipeline_run_id);
create index executions_claim on executions (owner_id, ready_at, id)
  where status = 'pending' and instance_id is null and ready_at is not null;

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

-- What a retry reuses of the run that it repeats. It keeps that run, whose job and execution the artifact names.
create table reused_artifacts (
  pipeline_run_id uuid not null references pipeline_runs,
  artifact_id uuid not null references artifacts,
  primary key (pipeline_run_id, artifact_id)
);
create index reused_artifacts_artifact_id on reused_artifacts (artifact_id);

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

-- ---------------------------------------------------------------------------------------------------------------------
-- Tables of a server beside its runs: access, credentials, remote executions.

create table tokens (
  id uuid primary key,
  name text not null check (octet_length(name) between 1 and 1024),
  -- SHA-256 of the token, which is shown once and kept nowhere.
  hash bytea not null unique check (octet_length(hash) = 32),
  scope token_scope not null,
  -- Null: all projects.
  project_id uuid references projects on delete cascade,
  -- The file (`host:path`) that this token was made for; one of its tokens holds at a time.
  file text,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index tokens_list on tokens (created_at, id);
create index tokens_project_id on tokens (project_id) where project_id is not null;
create unique index tokens_one_of_file on tokens (file) where file is not null and revoked_at is null;

-- Uses of dangerous operations. No foreign keys: an entry outlives what it names.
create table audit_log (
  id uuid primary key default new_id(),
  created_at timestamptz not null default now(),
  by_name text not null,
  token_id uuid,
  action text not null,
  project_id uuid,
  entity_id text,
  outcome text not null check (outcome in ('done', 'refused', 'failed')),
  request_id text
);
create index audit_log_list on audit_log (created_at, id);
create index audit_log_list_of_project on audit_log (project_id, created_at, id);

create table idempotency_keys (
  -- The token's id, so that one caller's keys are none of another's.
  caller text not null,
  key text not null check (octet_length(key) between 1 and 255),
  -- Method, path and body: the same key for anything else is refused.
  request_sha256 sha256_hex not null,
  -- The id that what is made gets, so that a repeat after a crash makes the same.
  resource_id uuid not null,
  -- Null while the first request is under way.
  status integer,
  answer jsonb,
  created_at timestamptz not null default now(),
  touched_at timestamptz not null default now(),
  -- The instance that carries out the first request with the key, so that the key is free when that instance is gone.
  holder_id uuid,
  holder_epoch integer,
  primary key (caller, key),
  constraint idempotency_keys_holder check ((holder_id is null) = (holder_epoch is null))
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- Secrets of projects: encrypted values, whose key is outside of the database.
create table secrets (
  project_id uuid not null references projects on delete cascade,
  name text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  -- The key that encrypted it: the first 16 hex digits of the key's SHA-256.
  key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
  -- Nonce, ciphertext and tag of AES-256-GCM; project and name are authenticated with it.
  encrypted bytea not null check (octet_length(encrypted) between 28 and 65536),
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (project_id, name)
);

-- Values of secrets that were replaced or removed. A step of an unfinished run may have written one to a file, so they stay
-- masked in that run's logs. The purge deletes them when no such run is left.
create table retired_secrets (
  id bigint generated always as identity primary key,
  project_id uuid not null references projects on delete cascade,
  name text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
  encrypted bytea not null check (octet_length(encrypted) between 28 and 65536),
  retired_at timestamptz not null default now()
);

create index retired_secrets_project_id_idx on retired_secrets (project_id, name);

-- Logins at registries; `secret` is the name of a secret of the project.
create table registry_logins (
  project_id uuid not null references projects on delete cascade,
  -- `host[:port]`, lower case.
  host text not null check (octet_length(host) between 1 and 259 and host = lower(host)),
  username text not null check (octet_length(username) between 1 and 256),
  secret text not null check (secret ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (project_id, host)
);

-- Artifacts and logs whose rows a purge has deleted, until their bytes are removed.
create table discarded_bytes (
  kind text not null check (kind in ('artifact', 'log')),
  -- The id of the artifact, or of the execution whose log it is.
  id uuid not null,
  discarded_at timestamptz not null default now(),
  primary key (kind, id)
);

-- Executions that agents carry out and report by callbacks: what was handed out, and what came back. None of this is run
-- state: the orchestrator reads it as it reads an executor's files.
create table execution_reports (
  execution_id uuid primary key,
  attempt integer not null check (attempt >= 1),
  -- A probe of a lost deploy has an execution of its own that no other table knows, and this run.
  run_id uuid not null references pipeline_runs on delete cascade,
  job_id uuid not null,
  job_attempt integer not null check (job_attempt >= 1),
  spec jsonb not null,
  submitted_at timestamptz not null default now(),
  -- When the launcher was asked to start it.
  launched_at timestamptz,
  -- The one agent that may carry it out, as it names itself (a pod's uid).
  claimed_by text,
  claimed_at timestamptz,
  begun_at timestamptz,
  last_seen_at timestamptz,
  -- It is to end and may not begin any more.
  stop_cause text check (stop_cause in ('canceled', 'timed_out')),
  stop_grace_seconds integer,
  -- The first final report, as it came.
  final_status text check (final_status in ('success', 'failed', 'canceled')),
  report jsonb,
  reported_at timestamptz,
  -- The end that the server recorded without a report: nothing that comes later counts.
  closed_reason text check (closed_reason in ('canceled', 'timed_out', 'unschedulable', 'start_failed', 'executor_lost')),
  closed_at timestamptz,
  -- All of its log has come, or the wait for it is over. `log_complete`: the log is the one that the report names.
  log_closed_at timestamptz,
  log_complete boolean,
  check ((claimed_by is null) = (claimed_at is null)),
  check (begun_at is null or claimed_at is not null),
  check ((stop_cause is null) = (stop_grace_seconds is null)),
  check ((final_status is null) = (report is null) and (report is null) = (reported_at is null)),
  check (final_status is null or claimed_at is not null),
  check ((closed_reason is null) = (closed_at is null)),
  check (final_status is null or closed_at is null),
  check (final_status <> 'success' or begun_at is not null),
  check ((log_closed_at is null) = (log_complete is null)),
  check (log_closed_at is null or final_status is not null or closed_at is not null)
);

create index execution_reports_run_id_idx on execution_reports (run_id);
create index execution_reports_job_id_idx on execution_reports (job_id, job_attempt);
create index execution_reports_open_log_idx on execution_reports (coalesce(reported_at, closed_at))
  where log_closed_at is null and (reported_at is not null or closed_at is not null);

-- Uploaded outputs. The recorded end of the execution makes a row of `artifacts` of each.
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

-- Reports that contradicted a final state.
create table execution_evidence (
  id bigint generated always as identity primary key,
  execution_id uuid not null references execution_reports on delete cascade,
  reported_by text,
  report jsonb not null,
  created_at timestamptz not null default now()
);

create index execution_evidence_execution_id_idx on execution_evidence (execution_id);

-- How far the masking of an agent's log has come, so that any server can go on with it.
create table masked_logs (
  execution_id uuid primary key references execution_reports on delete cascade,
  -- Bytes of the agent's log that have come, and bytes of the stored log that were made of them.
  received bigint not null check (received >= 0),
  stored bigint not null check (stored >= 0),
  -- The last stored bytes are a mask: what is masked next belongs to it.
  is_masking boolean not null default false,
  -- Bytes that have come and may be the beginning of a secret: encrypted, as secrets are.
  key_id text check (key_id ~ '^[0-9a-f]{16}$'),
  encrypted bytea,
  check ((key_id is null) = (encrypted is null))
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Guards: the database refuses a row that begins elsewhere than at its machine's start, a move that the machine does not
-- have, any change of what is final, and a deletion outside the purge. The machines mirror src/domain/model/states.ts; a
-- test compares every pair. The guards of the hot tables are functions without WHEN clauses: Postgres caches a function's
-- plan, and plans a WHEN clause again for every statement.

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
    select repository.project_id into new.project_id
    from pipelines pipeline
    join repositories repository on repository.id = pipeline.repository_id
    where pipeline.id = new.pipeline_id;
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

-- Deployments: one whose outcome is unknown waits until a person resolves it, once.
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

create trigger reused_artifacts_immutable before update on reused_artifacts for each row
  execute function refuse_change('what was reused never changes');
create trigger reused_artifacts_keep before delete on reused_artifacts for each row
  when (not purging()) execute function refuse_change('the purge alone deletes');
create trigger reused_artifacts_no_truncate before truncate on reused_artifacts
  execute function refuse_change('the purge alone deletes');

-- Every new run takes a number from its pipeline, so this also keeps new runs out.
create trigger pipelines_archived before update on pipelines for each row
  when (old.archived_at is not null) execute function refuse_change('a removed pipeline never changes');
create trigger projects_archived before update on projects for each row
  when (old.archived_at is not null) execute function refuse_change('a removed project never changes');

create function guard_token() returns trigger
language plpgsql
as $$
begin
  -- Revoked once, and nothing else: what a token may do, and for how long, never grows.
  if old.revoked_at is not null and new is distinct from old
    or new.revoked_at is null and new is distinct from old
    or (new.id, new.name, new.hash, new.scope, new.project_id, new.file, new.created_by, new.created_at, new.expires_at)
      is distinct from
      (old.id, old.name, old.hash, old.scope, old.project_id, old.file, old.created_by, old.created_at, old.expires_at)
  then
    raise exception 'token % never changes but to be revoked, once', old.id using errcode = 'SH001';
  end if;
  return new;
end
$$;
create trigger tokens_guard before update on tokens for each row execute function guard_token();

create trigger audit_log_keep before update or delete on audit_log for each row
  when (not purging()) execute function refuse_change('the audit is append-only');
create trigger audit_log_no_truncate before truncate on audit_log
  execute function refuse_change('the audit is append-only');

create function guard_execution_report() returns trigger
language plpgsql
as $$
-- What was reported once stays, and what has ended never changes.
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

-- ---------------------------------------------------------------------------------------------------------------------
-- Notifications of the change feed. A payload is a kind and its values. Runs are notified by the program, after the commit.

create function notify_execution_reported() returns trigger
language plpgsql
as $$
begin
  if (new.claimed_by, new.begun_at, new.reported_at) is distinct from (old.claimed_by, old.begun_at, old.reported_at) then
    perform pg_notify('shipinator_changes', 'execution ' || new.execution_id);
  end if;
  return null;
end
$$;
create trigger execution_reports_notify after update on execution_reports
  for each row execute function notify_execution_reported();

create function notify_token_changed() returns trigger
language plpgsql
as $$
begin
  perform pg_notify('shipinator_changes', 'token ' || old.id);
  return null;
end
$$;
create trigger tokens_notify after update or delete on tokens for each row execute function notify_token_changed();

-- ---------------------------------------------------------------------------------------------------------------------
-- The apply of a reconcile (one round trip and one commit, because every step of every run costs one), and the purge.

create function apply_run_changes(p_run uuid, p_instance uuid, p_epoch integer, p_seq integer, p_cause text, p jsonb)
returns integer
language plpgsql
-- Every statement is a lookup by key; plans made while the tables are small must still hold when they are not.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
-- Applies one advance, all or nothing, and returns the run's new seq; null when the run has moved on or belongs to
-- another instance or epoch. p, made by src/store/runs/apply.ts, every part optional but `transitions`:
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
    where r.id = p_run and r.seq = p_seq and r.owner_id = p_instance and r.owner_epoch = p_epoch
      and r.status = coalesce(v #>> '{status,0}', r.status) and r.phase = coalesce(v #>> '{phase,0}', r.phase)
    returning r.executor_type into v_executor;
    if not found and exists (
      select from pipeline_runs r
      where r.id = p_run and r.seq = p_seq and r.owner_id = p_instance and r.owner_epoch = p_epoch
    ) then
      raise exception 'run % is not as expected: %', p_run, v using errcode = 'SH002';
    end if;
  else
    update pipeline_runs r
    set seq = v_seq
    where r.id = p_run and r.seq = p_seq and r.owner_id = p_instance and r.owner_epoch = p_epoch
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
        kill_strategy = v ->> 'kill_strategy'
      where e.id = (v ->> 'id')::uuid and e.pipeline_run_id = p_run and e.status = v ->> 'f'
      returning e.begun_at is not null, e.deploys into v_begun, v_deploys;
    end if;
    if not found then
      raise exception 'an execution of run % is not as expected: %', p_run, v using errcode = 'SH002';
    end if;
    if v_deploys then
      -- A deploy whose outcome is unknown holds its release until a person resolves it.
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
    insert into executions (id, job_step_id, pipeline_run_id, attempt, executor_type, owner_id, instance_id, epoch, spec,
      deploys, ready_at)
    select (v ->> 'id')::uuid, s.id, p_run, (v ->> 'attempt')::integer, v_executor, p_instance,
      case when v_claimed then p_instance end, case when v_claimed then p_epoch end,
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
            from reused_artifacts d
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

create function purge_runs(p_before timestamptz, p_limit integer)
returns table (kind text, id uuid, backend text, path text)
language plpgsql
set shipinator.purging = 'on'
as $$
-- The one function that deletes history: at most p_limit final runs that ended before p_before, the oldest first, with
-- all that belongs to them. A run with a deployment, or with an artifact whose digest any deployment names, stays; and one
-- of which another run reuses an artifact, as long as that run is there.
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
        select from jobs j join artifacts a on a.job_id = j.id join reused_artifacts d on d.artifact_id = a.id
        where j.pipeline_run_id = r.id)
    order by r.finished_at, r.id
    limit p_limit
    for update skip locked
  ) chosen;
  -- Checked again now that the rows are locked: a retry that reuses their artifacts locks them as well.
  select array_agg(chosen.id) into v_runs
  from unnest(v_runs) chosen (id)
  where not exists (
    select from jobs j join artifacts a on a.job_id = j.id join reused_artifacts d on d.artifact_id = a.id
    where j.pipeline_run_id = chosen.id);
  if v_runs is null then
    return;
  end if;

  update pipeline_runs r set retried_from = null where r.retried_from = any (v_runs);
  delete from reused_artifacts d where d.pipeline_run_id = any (v_runs);
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
