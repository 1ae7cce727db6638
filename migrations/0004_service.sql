-- Up Migration
-- What a server keeps beside runs: who may ask, who asked for what, and the answers that are given again.

create domain token_scope as text check (value in ('read', 'trigger', 'admin'));

create table tokens (
  id uuid primary key,
  name text not null check (octet_length(name) between 1 and 1024),
  -- SHA-256 of the token, which is shown once and kept nowhere.
  hash bytea not null unique check (octet_length(hash) = 32),
  scope token_scope not null,
  -- Null: all projects.
  project_id uuid references projects on delete cascade,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index tokens_list on tokens (created_at, id);
create index tokens_project_id on tokens (project_id) where project_id is not null;

create function guard_token() returns trigger
language plpgsql
as $$
begin
  if old.revoked_at is not null and new is distinct from old
    or (new.hash, new.scope, new.project_id) is distinct from (old.hash, old.scope, old.project_id) then
    raise exception 'token % never changes but to be revoked, once', old.id using errcode = 'SH001';
  end if;
  return new;
end
$$;
create trigger tokens_guard before update on tokens for each row execute function guard_token();

-- Who used what is dangerous. No foreign keys: an entry outlives what it is about.
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
create trigger audit_log_keep before update or delete on audit_log for each row
  when (not purging()) execute function refuse_change('the audit is append-only');
create trigger audit_log_no_truncate before truncate on audit_log
  execute function refuse_change('the audit is append-only');

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
  primary key (caller, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- The run's project, so that the runs of one are listed by an index. A copy: a repository never changes its project.
alter table pipeline_runs add column project_id uuid references projects;
select set_config('shipinator.purging', 'on', true);
update pipeline_runs run
set project_id = (
  select repository.project_id
  from pipelines pipeline
  join repositories repository on repository.id = pipeline.repository_id
  where pipeline.id = run.pipeline_id
);
select set_config('shipinator.purging', '', true);
alter table pipeline_runs alter column project_id set not null;
create index pipeline_runs_list_of_project on pipeline_runs (project_id, created_at, id);
create index pipeline_runs_list_of_project_status on pipeline_runs (project_id, status, created_at, id);
create index pipeline_runs_list_of_pipeline_status on pipeline_runs (pipeline_id, status, created_at, id);
create index pipeline_runs_list_of_ref on pipeline_runs (pipeline_id, git_ref, created_at, id);
create index pipeline_runs_list_of_sha on pipeline_runs (git_sha, created_at, id) where git_sha is not null;

create or replace function guard_run() returns trigger
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
