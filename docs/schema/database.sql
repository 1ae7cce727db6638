-- Generated from migrations/. Do not edit: change the schema by a new migration.

table artifacts
  id uuid not null
  job_id uuid not null
  execution_id uuid not null
  name text not null
  artifact_type artifact_type not null
  storage_backend text not null default 'filesystem'::text
  storage_path text not null
  checksum sha256_hex not null
  size bigint not null
  metadata jsonb not null
  created_at timestamp with time zone not null default now()
  expired_at timestamp with time zone
  constraint artifacts_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES executions(id)
  constraint artifacts_execution_id_name_key UNIQUE (execution_id, name)
  constraint artifacts_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs(id)
  constraint artifacts_pkey PRIMARY KEY (id)
  constraint artifacts_size_check CHECK ((size >= 0))
  CREATE INDEX artifacts_job_id ON public.artifacts USING btree (job_id)
  CREATE INDEX artifacts_list ON public.artifacts USING btree (created_at, id)
  CREATE TRIGGER artifacts_deployed BEFORE UPDATE ON public.artifacts FOR EACH ROW WHEN (((old.expired_at IS NULL) AND (new.expired_at IS NOT NULL))) EXECUTE FUNCTION refuse_deployed_expiry()
  CREATE TRIGGER artifacts_immutable BEFORE UPDATE ON public.artifacts FOR EACH ROW WHEN (((((((((((((old.id IS DISTINCT FROM new.id) OR (old.job_id IS DISTINCT FROM new.job_id)) OR (old.execution_id IS DISTINCT FROM new.execution_id)) OR (old.name IS DISTINCT FROM new.name)) OR ((old.artifact_type)::text IS DISTINCT FROM (new.artifact_type)::text)) OR (old.storage_backend IS DISTINCT FROM new.storage_backend)) OR (old.storage_path IS DISTINCT FROM new.storage_path)) OR ((old.checksum)::text IS DISTINCT FROM (new.checksum)::text)) OR (old.size IS DISTINCT FROM new.size)) OR (old.metadata IS DISTINCT FROM new.metadata)) OR (old.created_at IS DISTINCT FROM new.created_at)) OR ((old.expired_at IS NOT NULL) AND (old.expired_at IS DISTINCT FROM new.expired_at)))) EXECUTE FUNCTION refuse_change('an artifact never changes')
  CREATE TRIGGER artifacts_keep BEFORE DELETE ON public.artifacts FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER artifacts_no_truncate BEFORE TRUNCATE ON public.artifacts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table audit_log
  id uuid not null default new_id()
  created_at timestamp with time zone not null default now()
  by_name text not null
  token_id uuid
  action text not null
  project_id uuid
  entity_id text
  outcome text not null
  request_id text
  constraint audit_log_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text, 'failed'::text])))
  constraint audit_log_pkey PRIMARY KEY (id)
  CREATE INDEX audit_log_list ON public.audit_log USING btree (created_at, id)
  CREATE INDEX audit_log_list_of_project ON public.audit_log USING btree (project_id, created_at, id)
  CREATE TRIGGER audit_log_keep BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the audit is append-only')
  CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the audit is append-only')

table deployments
  id uuid not null default new_id()
  target text not null
  namespace text not null
  release text
  digests text[] not null default '{}'::text[]
  pipeline_run_id uuid not null
  execution_id uuid not null
  outcome text not null default 'active'::text
  resolved_by text
  created_at timestamp with time zone not null default now()
  finished_at timestamp with time zone
  constraint deployments_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES executions(id)
  constraint deployments_execution_id_key UNIQUE (execution_id)
  constraint deployments_finished CHECK (((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'canceled'::text])) = (finished_at IS NOT NULL)))
  constraint deployments_outcome_check CHECK ((outcome = ANY (ARRAY['active'::text, 'succeeded'::text, 'failed'::text, 'unknown'::text, 'canceled'::text])))
  constraint deployments_pipeline_run_id_fkey FOREIGN KEY (pipeline_run_id) REFERENCES pipeline_runs(id)
  constraint deployments_pkey PRIMARY KEY (id)
  CREATE INDEX deployments_digests ON public.deployments USING gin (digests)
  CREATE INDEX deployments_list ON public.deployments USING btree (created_at, id)
  CREATE UNIQUE INDEX deployments_one_active ON public.deployments USING btree (target, namespace, release) WHERE (outcome = ANY (ARRAY['active'::text, 'unknown'::text]))
  CREATE INDEX deployments_run ON public.deployments USING btree (pipeline_run_id)
  CREATE TRIGGER deployments_final BEFORE UPDATE ON public.deployments FOR EACH ROW WHEN (((old.outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'canceled'::text])) AND (old.* IS DISTINCT FROM new.*))) EXECUTE FUNCTION refuse_change('a final deployment never changes')
  CREATE TRIGGER deployments_initial BEFORE INSERT ON public.deployments FOR EACH ROW WHEN ((new.outcome <> 'active'::text)) EXECUTE FUNCTION refuse_change('a deployment begins active')
  CREATE TRIGGER deployments_keep BEFORE DELETE ON public.deployments FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER deployments_move BEFORE UPDATE ON public.deployments FOR EACH ROW WHEN (((old.outcome <> new.outcome) AND (((((((old.outcome <> 'active'::text) OR (new.outcome <> 'succeeded'::text)) AND ((old.outcome <> 'active'::text) OR (new.outcome <> 'failed'::text))) AND ((old.outcome <> 'active'::text) OR (new.outcome <> 'unknown'::text))) AND ((old.outcome <> 'active'::text) OR (new.outcome <> 'canceled'::text))) AND ((old.outcome <> 'unknown'::text) OR (new.outcome <> 'succeeded'::text))) AND ((old.outcome <> 'unknown'::text) OR (new.outcome <> 'failed'::text))))) EXECUTE FUNCTION refuse_change('the deployment''s outcome does not move there')
  CREATE TRIGGER deployments_no_truncate BEFORE TRUNCATE ON public.deployments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table discarded_bytes
  kind text not null
  id uuid not null
  discarded_at timestamp with time zone not null default now()
  constraint discarded_bytes_kind_check CHECK ((kind = ANY (ARRAY['artifact'::text, 'log'::text])))
  constraint discarded_bytes_pkey PRIMARY KEY (kind, id)

table execution_evidence
  id bigint not null
  execution_id uuid not null
  reported_by text
  report jsonb not null
  created_at timestamp with time zone not null default now()
  constraint execution_evidence_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES execution_reports(execution_id) ON DELETE CASCADE
  constraint execution_evidence_pkey PRIMARY KEY (id)
  CREATE INDEX execution_evidence_execution_id_idx ON public.execution_evidence USING btree (execution_id)

table execution_reports
  execution_id uuid not null
  attempt integer not null
  run_id uuid not null
  job_id uuid not null
  job_attempt integer not null
  spec jsonb not null
  submitted_at timestamp with time zone not null default now()
  launched_at timestamp with time zone
  claimed_by text
  claimed_at timestamp with time zone
  begun_at timestamp with time zone
  last_seen_at timestamp with time zone
  stop_cause text
  stop_grace_seconds integer
  final_status text
  report jsonb
  reported_at timestamp with time zone
  closed_reason text
  closed_at timestamp with time zone
  log_closed_at timestamp with time zone
  log_complete boolean
  constraint execution_reports_attempt_check CHECK ((attempt >= 1))
  constraint execution_reports_check CHECK (((claimed_by IS NULL) = (claimed_at IS NULL)))
  constraint execution_reports_check1 CHECK (((begun_at IS NULL) OR (claimed_at IS NOT NULL)))
  constraint execution_reports_check2 CHECK (((stop_cause IS NULL) = (stop_grace_seconds IS NULL)))
  constraint execution_reports_check3 CHECK ((((final_status IS NULL) = (report IS NULL)) AND ((report IS NULL) = (reported_at IS NULL))))
  constraint execution_reports_check4 CHECK (((final_status IS NULL) OR (claimed_at IS NOT NULL)))
  constraint execution_reports_check5 CHECK (((closed_reason IS NULL) = (closed_at IS NULL)))
  constraint execution_reports_check6 CHECK (((final_status IS NULL) OR (closed_at IS NULL)))
  constraint execution_reports_check7 CHECK (((final_status <> 'success'::text) OR (begun_at IS NOT NULL)))
  constraint execution_reports_check8 CHECK (((log_closed_at IS NULL) = (log_complete IS NULL)))
  constraint execution_reports_check9 CHECK (((log_closed_at IS NULL) OR (final_status IS NOT NULL) OR (closed_at IS NOT NULL)))
  constraint execution_reports_closed_reason_check CHECK ((closed_reason = ANY (ARRAY['canceled'::text, 'timed_out'::text, 'unschedulable'::text, 'start_failed'::text, 'executor_lost'::text])))
  constraint execution_reports_final_status_check CHECK ((final_status = ANY (ARRAY['success'::text, 'failed'::text, 'canceled'::text])))
  constraint execution_reports_job_attempt_check CHECK ((job_attempt >= 1))
  constraint execution_reports_pkey PRIMARY KEY (execution_id)
  constraint execution_reports_run_id_fkey FOREIGN KEY (run_id) REFERENCES pipeline_runs(id) ON DELETE CASCADE
  constraint execution_reports_stop_cause_check CHECK ((stop_cause = ANY (ARRAY['canceled'::text, 'timed_out'::text])))
  CREATE INDEX execution_reports_job_id_idx ON public.execution_reports USING btree (job_id, job_attempt)
  CREATE INDEX execution_reports_open_log_idx ON public.execution_reports USING btree (COALESCE(reported_at, closed_at)) WHERE ((log_closed_at IS NULL) AND ((reported_at IS NOT NULL) OR (closed_at IS NOT NULL)))
  CREATE INDEX execution_reports_run_id_idx ON public.execution_reports USING btree (run_id)
  CREATE TRIGGER execution_reports_notify AFTER UPDATE ON public.execution_reports FOR EACH ROW EXECUTE FUNCTION notify_execution_reported()
  CREATE TRIGGER guard_execution_report BEFORE UPDATE ON public.execution_reports FOR EACH ROW EXECUTE FUNCTION guard_execution_report()

table execution_uploads
  execution_id uuid not null
  name text not null
  artifact_id uuid not null
  checksum text not null
  size bigint not null
  storage_path text not null
  metadata jsonb not null
  created_at timestamp with time zone not null default now()
  constraint execution_uploads_artifact_id_key UNIQUE (artifact_id)
  constraint execution_uploads_checksum_check CHECK ((checksum ~ '^[0-9a-f]{64}$'::text))
  constraint execution_uploads_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES execution_reports(execution_id) ON DELETE CASCADE
  constraint execution_uploads_pkey PRIMARY KEY (execution_id, name)
  constraint execution_uploads_size_check CHECK ((size >= 0))

table executions with (fillfactor=80)
  id uuid not null
  job_step_id uuid not null
  pipeline_run_id uuid not null
  attempt integer not null
  executor_type text not null
  external_id text
  status execution_status not null default 'pending'::text
  owner_id uuid
  instance_id uuid
  epoch integer
  spec jsonb not null
  deploys boolean not null default false
  submitted_at timestamp with time zone not null default now()
  not_before timestamp with time zone
  ready_at timestamp with time zone
  begun_at timestamp with time zone
  completed_at timestamp with time zone
  exit_code integer
  failure_reason failure_reason
  message text
  logs_ref text
  log_bytes bigint
  log_dropped bigint
  kill_strategy kill_strategy
  collections integer not null default 0
  constraint executions_collections_check CHECK ((collections >= 0))
  constraint executions_job_step_id_attempt_key UNIQUE (job_step_id, attempt)
  constraint executions_job_step_id_fkey FOREIGN KEY (job_step_id) REFERENCES job_steps(id)
  constraint executions_pkey PRIMARY KEY (id)
  constraint executions_sound CHECK ((((completed_at IS NULL) = ((status)::text = ANY (ARRAY['pending'::text, 'running'::text]))) AND
CASE
    WHEN (begun_at IS NULL) THEN ((status)::text <> ALL (ARRAY['running'::text, 'succeeded'::text]))
    ELSE ((status)::text <> 'pending'::text)
END AND
CASE
    WHEN (failure_reason IS NULL) THEN ((status)::text <> ALL (ARRAY['failed'::text, 'lost'::text]))
    ELSE ((status)::text = ANY (ARRAY['failed'::text, 'canceled'::text, 'lost'::text]))
END AND ((instance_id IS NULL) = (epoch IS NULL))))
  CREATE INDEX executions_claim ON public.executions USING btree (owner_id, ready_at, id) WHERE (((status)::text = 'pending'::text) AND (instance_id IS NULL) AND (ready_at IS NOT NULL))
  CREATE UNIQUE INDEX executions_one_live ON public.executions USING btree (job_step_id) WHERE ((status)::text = ANY (ARRAY['pending'::text, 'running'::text]))
  CREATE INDEX executions_run ON public.executions USING btree (pipeline_run_id)
  CREATE TRIGGER executions_guard BEFORE INSERT OR UPDATE ON public.executions FOR EACH ROW EXECUTE FUNCTION guard_execution()
  CREATE TRIGGER executions_keep BEFORE DELETE ON public.executions FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER executions_no_truncate BEFORE TRUNCATE ON public.executions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table idempotency_keys
  caller text not null
  key text not null
  request_sha256 sha256_hex not null
  resource_id uuid not null
  status integer
  answer jsonb
  created_at timestamp with time zone not null default now()
  touched_at timestamp with time zone not null default now()
  holder_id uuid
  holder_epoch integer
  constraint idempotency_keys_holder CHECK (((holder_id IS NULL) = (holder_epoch IS NULL)))
  constraint idempotency_keys_key_check CHECK (((octet_length(key) >= 1) AND (octet_length(key) <= 255)))
  constraint idempotency_keys_pkey PRIMARY KEY (caller, key)
  CREATE INDEX idempotency_keys_age ON public.idempotency_keys USING btree (created_at)

table instances
  id uuid not null
  data_directory text not null
  host text not null
  boot_id text not null
  pid_namespace text not null
  pid integer not null
  pid_start_time text not null
  epoch integer not null default 1
  renewals bigint not null default 0
  lease_until timestamp with time zone not null
  away_until timestamp with time zone
  started_at timestamp with time zone not null default now()
  ended_at timestamp with time zone
  constraint instances_epoch_check CHECK ((epoch > 0))
  constraint instances_pkey PRIMARY KEY (id)
  CREATE INDEX instances_list ON public.instances USING btree (started_at, id)
  CREATE INDEX instances_present ON public.instances USING btree (data_directory) WHERE (ended_at IS NULL)

table job_steps with (fillfactor=80)
  id uuid not null
  job_id uuid not null
  name text not null
  execution_order integer not null
  parallel_group text
  plan jsonb not null
  deploys boolean not null generated always as COALESCE((jsonb_typeof((plan -> 'deploy'::text)) = 'object'::text), false) stored
  status stage_status not null default 'pending'::text
  created_at timestamp with time zone not null default now()
  started_at timestamp with time zone
  finished_at timestamp with time zone
  constraint job_steps_job_id_execution_order_key UNIQUE (job_id, execution_order)
  constraint job_steps_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs(id)
  constraint job_steps_pkey PRIMARY KEY (id)
  constraint job_steps_sound CHECK ((((finished_at IS NULL) = ((status)::text = ANY (ARRAY['pending'::text, 'running'::text]))) AND
CASE
    WHEN (started_at IS NULL) THEN ((status)::text <> ALL (ARRAY['running'::text, 'succeeded'::text]))
    ELSE ((status)::text <> ALL (ARRAY['pending'::text, 'skipped'::text]))
END))
  CREATE INDEX job_steps_pending_deploys ON public.job_steps USING btree ("left"((plan #>> '{deploy,release}'::text[]), 100), created_at) WHERE (deploys AND ((status)::text = 'pending'::text))
  CREATE INDEX job_steps_snapshot ON public.job_steps USING btree (job_id, status, execution_order)
  CREATE TRIGGER job_steps_guard BEFORE INSERT OR UPDATE ON public.job_steps FOR EACH ROW EXECUTE FUNCTION guard_step()
  CREATE TRIGGER job_steps_keep BEFORE DELETE ON public.job_steps FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER job_steps_no_truncate BEFORE TRUNCATE ON public.job_steps FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table jobs with (fillfactor=80)
  id uuid not null
  pipeline_run_id uuid not null
  job_type job_type not null
  name text not null
  status stage_status not null default 'pending'::text
  attempt integer not null default 1
  failure_reason failure_reason
  failure_message text
  created_at timestamp with time zone not null default now()
  started_at timestamp with time zone
  finished_at timestamp with time zone
  constraint jobs_pipeline_run_id_fkey FOREIGN KEY (pipeline_run_id) REFERENCES pipeline_runs(id)
  constraint jobs_pipeline_run_id_job_type_attempt_key UNIQUE (pipeline_run_id, job_type, attempt)
  constraint jobs_pkey PRIMARY KEY (id)
  constraint jobs_sound CHECK ((((finished_at IS NULL) = ((status)::text = ANY (ARRAY['pending'::text, 'running'::text]))) AND
CASE
    WHEN (started_at IS NULL) THEN ((status)::text <> ALL (ARRAY['running'::text, 'succeeded'::text]))
    ELSE ((status)::text <> ALL (ARRAY['pending'::text, 'skipped'::text]))
END AND
CASE
    WHEN (failure_reason IS NULL) THEN ((status)::text <> 'failed'::text)
    ELSE ((status)::text = ANY (ARRAY['failed'::text, 'canceled'::text]))
END))
  CREATE TRIGGER jobs_guard BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION guard_job()
  CREATE TRIGGER jobs_keep BEFORE DELETE ON public.jobs FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER jobs_no_truncate BEFORE TRUNCATE ON public.jobs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table masked_logs
  execution_id uuid not null
  received bigint not null
  stored bigint not null
  is_masking boolean not null default false
  key_id text
  encrypted bytea
  constraint masked_logs_check CHECK (((key_id IS NULL) = (encrypted IS NULL)))
  constraint masked_logs_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES execution_reports(execution_id) ON DELETE CASCADE
  constraint masked_logs_key_id_check CHECK ((key_id ~ '^[0-9a-f]{16}$'::text))
  constraint masked_logs_pkey PRIMARY KEY (execution_id)
  constraint masked_logs_received_check CHECK ((received >= 0))
  constraint masked_logs_stored_check CHECK ((stored >= 0))

table pipeline_configs
  digest sha256_hex not null
  config jsonb not null
  created_at timestamp with time zone not null default now()
  constraint pipeline_configs_pkey PRIMARY KEY (digest)
  CREATE TRIGGER pipeline_configs_immutable BEFORE UPDATE ON public.pipeline_configs FOR EACH ROW EXECUTE FUNCTION refuse_change('a configuration never changes')
  CREATE TRIGGER pipeline_configs_keep BEFORE DELETE ON public.pipeline_configs FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')

table pipeline_runs with (fillfactor=80)
  id uuid not null
  pipeline_id uuid not null
  project_id uuid not null
  number integer not null
  git_ref text
  git_sha text
  tree text
  subpath text
  dirty boolean not null default false
  branch text
  tag text
  status run_status not null default 'pending'::text
  phase run_phase not null default 'submitted'::text
  cause_kind cause_kind not null
  cause_actor text not null
  cause_delivery text
  requested_stages job_type[]
  executor_type text not null
  config_digest sha256_hex
  failure_reason failure_reason
  failure_message text
  cancel_requested_at timestamp with time zone
  cancel_requested_by text
  retried_from uuid
  reused_stages job_type[] not null default '{}'::job_type[]
  owner_id uuid
  owner_epoch integer
  seq integer not null default 0
  created_at timestamp with time zone not null default now()
  started_at timestamp with time zone
  finished_at timestamp with time zone
  constraint pipeline_runs_config_digest_fkey FOREIGN KEY (config_digest) REFERENCES pipeline_configs(digest)
  constraint pipeline_runs_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES instances(id)
  constraint pipeline_runs_pipeline_id_fkey FOREIGN KEY (pipeline_id) REFERENCES pipelines(id)
  constraint pipeline_runs_pipeline_id_number_key UNIQUE (pipeline_id, number)
  constraint pipeline_runs_pkey PRIMARY KEY (id)
  constraint pipeline_runs_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id)
  constraint pipeline_runs_retried_from_fkey FOREIGN KEY (retried_from) REFERENCES pipeline_runs(id)
  constraint pipeline_runs_sound CHECK ((((finished_at IS NULL) = ((status)::text = ANY (ARRAY['pending'::text, 'running'::text]))) AND
CASE
    WHEN (started_at IS NULL) THEN ((status)::text <> ALL (ARRAY['running'::text, 'success'::text]))
    ELSE ((status)::text <> 'pending'::text)
END AND
CASE
    WHEN (failure_reason IS NULL) THEN ((status)::text <> 'failed'::text)
    ELSE ((status)::text = ANY (ARRAY['failed'::text, 'canceled'::text]))
END AND ((owner_id IS NULL) = (owner_epoch IS NULL)) AND ((cancel_requested_at IS NULL) = (cancel_requested_by IS NULL))))
  CREATE INDEX pipeline_runs_config_digest ON public.pipeline_runs USING btree (config_digest)
  CREATE INDEX pipeline_runs_list ON public.pipeline_runs USING btree (created_at, id)
  CREATE INDEX pipeline_runs_list_of_pipeline ON public.pipeline_runs USING btree (pipeline_id, created_at, id)
  CREATE INDEX pipeline_runs_list_of_pipeline_cause ON public.pipeline_runs USING btree (pipeline_id, cause_kind, created_at, id)
  CREATE INDEX pipeline_runs_list_of_pipeline_status ON public.pipeline_runs USING btree (pipeline_id, status, created_at, id)
  CREATE INDEX pipeline_runs_list_of_project ON public.pipeline_runs USING btree (project_id, created_at, id)
  CREATE INDEX pipeline_runs_list_of_project_cause ON public.pipeline_runs USING btree (project_id, cause_kind, created_at, id)
  CREATE INDEX pipeline_runs_list_of_project_status ON public.pipeline_runs USING btree (project_id, status, created_at, id)
  CREATE INDEX pipeline_runs_list_of_ref ON public.pipeline_runs USING btree (pipeline_id, git_ref, created_at, id)
  CREATE INDEX pipeline_runs_list_of_sha ON public.pipeline_runs USING btree (git_sha, created_at, id) WHERE (git_sha IS NOT NULL)
  CREATE INDEX pipeline_runs_list_of_status ON public.pipeline_runs USING btree (status, created_at, id)
  CREATE INDEX pipeline_runs_number ON public.pipeline_runs USING btree (number)
  CREATE INDEX pipeline_runs_owner ON public.pipeline_runs USING btree (owner_id)
  CREATE INDEX pipeline_runs_purge ON public.pipeline_runs USING btree (finished_at, id) WHERE (finished_at IS NOT NULL)
  CREATE INDEX pipeline_runs_retried_from ON public.pipeline_runs USING btree (retried_from) WHERE (retried_from IS NOT NULL)
  CREATE INDEX pipeline_runs_unfinished ON public.pipeline_runs USING btree (created_at, id) WHERE ((status)::text = ANY (ARRAY['pending'::text, 'running'::text]))
  CREATE TRIGGER pipeline_runs_guard BEFORE INSERT OR UPDATE ON public.pipeline_runs FOR EACH ROW EXECUTE FUNCTION guard_run()
  CREATE TRIGGER pipeline_runs_guard_phase BEFORE UPDATE ON public.pipeline_runs FOR EACH ROW WHEN (((old.phase)::text <> (new.phase)::text)) EXECUTE FUNCTION guard_run_phase()
  CREATE TRIGGER pipeline_runs_keep BEFORE DELETE ON public.pipeline_runs FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER pipeline_runs_no_truncate BEFORE TRUNCATE ON public.pipeline_runs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table pipelines
  id uuid not null
  repository_id uuid not null
  name text not null
  trigger_type cause_kind not null
  next_number integer not null default 1
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now()
  archived_at timestamp with time zone
  constraint pipelines_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 1024)))
  constraint pipelines_next_number_check CHECK ((next_number > 0))
  constraint pipelines_pkey PRIMARY KEY (id)
  constraint pipelines_repository_id_fkey FOREIGN KEY (repository_id) REFERENCES repositories(id)
  constraint pipelines_repository_id_name_key UNIQUE (repository_id, name)
  constraint pipelines_trigger_type CHECK (((trigger_type)::text <> ALL (ARRAY['retry'::text, 'api'::text])))
  CREATE INDEX pipelines_list ON public.pipelines USING btree (created_at, id)
  CREATE TRIGGER pipelines_archived BEFORE UPDATE ON public.pipelines FOR EACH ROW WHEN ((old.archived_at IS NOT NULL)) EXECUTE FUNCTION refuse_change('a removed pipeline never changes')

table projects
  id uuid not null
  name text not null
  description text not null default ''::text
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now()
  archived_at timestamp with time zone
  constraint projects_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 1024)))
  constraint projects_name_key UNIQUE (name)
  constraint projects_pkey PRIMARY KEY (id)
  CREATE INDEX projects_list ON public.projects USING btree (created_at, id)
  CREATE TRIGGER projects_archived BEFORE UPDATE ON public.projects FOR EACH ROW WHEN ((old.archived_at IS NOT NULL)) EXECUTE FUNCTION refuse_change('a removed project never changes')

table registry_logins
  project_id uuid not null
  host text not null
  username text not null
  secret text not null
  created_by text not null
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now()
  constraint registry_logins_host_check CHECK ((((octet_length(host) >= 1) AND (octet_length(host) <= 259)) AND (host = lower(host))))
  constraint registry_logins_pkey PRIMARY KEY (project_id, host)
  constraint registry_logins_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE
  constraint registry_logins_secret_check CHECK ((secret ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'::text))
  constraint registry_logins_username_check CHECK (((octet_length(username) >= 1) AND (octet_length(username) <= 256)))

table repositories
  id uuid not null
  project_id uuid not null
  vcs_provider text not null
  clone_url text not null
  default_branch text
  clone_secret text
  clone_username text
  account_access boolean not null default true
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now()
  constraint repositories_check CHECK (((clone_username IS NULL) OR (clone_secret IS NOT NULL)))
  constraint repositories_clone_secret_check CHECK ((clone_secret ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'::text))
  constraint repositories_clone_url_check CHECK (((octet_length(clone_url) >= 1) AND (octet_length(clone_url) <= 2048)))
  constraint repositories_clone_username_check CHECK (((octet_length(clone_username) >= 1) AND (octet_length(clone_username) <= 256)))
  constraint repositories_pkey PRIMARY KEY (id)
  constraint repositories_project_id_clone_url_key UNIQUE (project_id, clone_url)
  constraint repositories_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id)
  constraint repositories_vcs_provider_check CHECK ((vcs_provider = ANY (ARRAY['git'::text, 'gitea'::text, 'forgejo'::text, 'github'::text, 'gitlab'::text])))
  CREATE INDEX repositories_list ON public.repositories USING btree (created_at, id)

table retired_secrets
  id bigint not null
  project_id uuid not null
  name text not null
  key_id text not null
  encrypted bytea not null
  retired_at timestamp with time zone not null default now()
  constraint retired_secrets_encrypted_check CHECK (((octet_length(encrypted) >= 28) AND (octet_length(encrypted) <= 65536)))
  constraint retired_secrets_key_id_check CHECK ((key_id ~ '^[0-9a-f]{16}$'::text))
  constraint retired_secrets_name_check CHECK ((name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'::text))
  constraint retired_secrets_pkey PRIMARY KEY (id)
  constraint retired_secrets_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE
  CREATE INDEX retired_secrets_project_id_idx ON public.retired_secrets USING btree (project_id, name)

table reused_artifacts
  pipeline_run_id uuid not null
  artifact_id uuid not null
  constraint reused_artifacts_artifact_id_fkey FOREIGN KEY (artifact_id) REFERENCES artifacts(id)
  constraint reused_artifacts_pipeline_run_id_fkey FOREIGN KEY (pipeline_run_id) REFERENCES pipeline_runs(id)
  constraint reused_artifacts_pkey PRIMARY KEY (pipeline_run_id, artifact_id)
  CREATE INDEX reused_artifacts_artifact_id ON public.reused_artifacts USING btree (artifact_id)
  CREATE TRIGGER reused_artifacts_immutable BEFORE UPDATE ON public.reused_artifacts FOR EACH ROW EXECUTE FUNCTION refuse_change('what was reused never changes')
  CREATE TRIGGER reused_artifacts_keep BEFORE DELETE ON public.reused_artifacts FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER reused_artifacts_no_truncate BEFORE TRUNCATE ON public.reused_artifacts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table secrets
  project_id uuid not null
  name text not null
  key_id text not null
  encrypted bytea not null
  created_by text not null
  created_at timestamp with time zone not null default now()
  updated_at timestamp with time zone not null default now()
  constraint secrets_encrypted_check CHECK (((octet_length(encrypted) >= 28) AND (octet_length(encrypted) <= 65536)))
  constraint secrets_key_id_check CHECK ((key_id ~ '^[0-9a-f]{16}$'::text))
  constraint secrets_name_check CHECK ((name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'::text))
  constraint secrets_pkey PRIMARY KEY (project_id, name)
  constraint secrets_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE

table tokens
  id uuid not null
  name text not null
  hash bytea not null
  scope token_scope not null
  project_id uuid
  file text
  created_by text not null
  created_at timestamp with time zone not null default now()
  expires_at timestamp with time zone
  revoked_at timestamp with time zone
  constraint tokens_hash_check CHECK ((octet_length(hash) = 32))
  constraint tokens_hash_key UNIQUE (hash)
  constraint tokens_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 1024)))
  constraint tokens_pkey PRIMARY KEY (id)
  constraint tokens_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE
  CREATE INDEX tokens_list ON public.tokens USING btree (created_at, id)
  CREATE UNIQUE INDEX tokens_one_of_file ON public.tokens USING btree (file) WHERE ((file IS NOT NULL) AND (revoked_at IS NULL))
  CREATE INDEX tokens_project_id ON public.tokens USING btree (project_id) WHERE (project_id IS NOT NULL)
  CREATE TRIGGER tokens_guard BEFORE UPDATE ON public.tokens FOR EACH ROW EXECUTE FUNCTION guard_token()
  CREATE TRIGGER tokens_notify AFTER DELETE OR UPDATE ON public.tokens FOR EACH ROW EXECUTE FUNCTION notify_token_changed()

table transitions partition by RANGE (at)
  run_id uuid not null
  seq integer not null
  entity transition_entity not null
  entity_id uuid not null
  from_state text
  to_state text not null
  cause text not null
  evidence jsonb
  at timestamp with time zone not null default now()
  constraint transitions_run_id_seq_at_key UNIQUE (run_id, seq, at)
  CREATE TRIGGER transitions_append_only BEFORE UPDATE ON public.transitions FOR EACH ROW EXECUTE FUNCTION refuse_change('what happened never changes')
  CREATE TRIGGER transitions_keep BEFORE DELETE ON public.transitions FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')
  CREATE TRIGGER transitions_no_truncate BEFORE TRUNCATE ON public.transitions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the purge alone deletes')

table transitions_default partition of transitions DEFAULT
  run_id uuid not null
  seq integer not null
  entity transition_entity not null
  entity_id uuid not null
  from_state text
  to_state text not null
  cause text not null
  evidence jsonb
  at timestamp with time zone not null default now()
  constraint transitions_default_run_id_seq_at_key UNIQUE (run_id, seq, at)
  CREATE TRIGGER transitions_append_only BEFORE UPDATE ON public.transitions_default FOR EACH ROW EXECUTE FUNCTION refuse_change('what happened never changes')
  CREATE TRIGGER transitions_keep BEFORE DELETE ON public.transitions_default FOR EACH ROW WHEN ((NOT purging())) EXECUTE FUNCTION refuse_change('the purge alone deletes')

domain artifact_type as text CHECK ((VALUE = ANY (ARRAY['binary'::text, 'oci_image'::text, 'helm_chart'::text, 'manifest'::text, 'coverage'::text, 'test_report'::text])))
domain cause_kind as text CHECK ((VALUE = ANY (ARRAY['manual'::text, 'push'::text, 'pull_request'::text, 'tag'::text, 'cron'::text, 'retry'::text, 'api'::text])))
domain execution_status as text CHECK ((VALUE = ANY (ARRAY['pending'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'canceled'::text, 'lost'::text])))
domain failure_reason as text CHECK ((VALUE = ANY (ARRAY['script_failed'::text, 'timed_out'::text, 'out_of_memory'::text, 'evicted'::text, 'node_lost'::text, 'image_pull_failed'::text, 'unschedulable'::text, 'start_failed'::text, 'executor_lost'::text, 'artifact_missing'::text, 'artifact_corrupt'::text, 'source_unavailable'::text, 'config_invalid'::text, 'deploy_unknown'::text, 'canceled'::text, 'internal'::text])))
domain job_type as text CHECK ((VALUE = ANY (ARRAY['build'::text, 'test'::text, 'deploy'::text])))
domain kill_strategy as text CHECK ((VALUE = ANY (ARRAY['cgroup'::text, 'freezer'::text, 'session'::text])))
domain run_phase as text CHECK ((VALUE = ANY (ARRAY['submitted'::text, 'building'::text, 'built'::text, 'testing'::text, 'tested'::text, 'deploying'::text, 'deployed'::text])))
domain run_status as text CHECK ((VALUE = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'failed'::text, 'canceled'::text])))
domain sha256_hex as text CHECK ((VALUE ~ '^[0-9a-f]{64}$'::text))
domain stage_status as text CHECK ((VALUE = ANY (ARRAY['pending'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'canceled'::text, 'skipped'::text])))
domain token_scope as text CHECK ((VALUE = ANY (ARRAY['read'::text, 'trigger'::text, 'admin'::text])))
domain transition_entity as text CHECK ((VALUE = ANY (ARRAY['run'::text, 'phase'::text, 'job'::text, 'step'::text, 'execution'::text])))

function apply_run_changes(p_run uuid, p_instance uuid, p_epoch integer, p_seq integer, p_cause text, p jsonb) returns integer language plpgsql set plan_cache_mode=force_generic_plan set enable_seqscan=off set jit=off

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

function ensure_transition_partitions(p_months integer) returns integer language plpgsql set lock_timeout=3s

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

function guard_execution() returns trigger language plpgsql

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

function guard_execution_report() returns trigger language plpgsql

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

function guard_job() returns trigger language plpgsql

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

function guard_run() returns trigger language plpgsql

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

function guard_run_phase() returns trigger language plpgsql

declare
  v_phases constant text[] := array['submitted', 'building', 'built', 'testing', 'tested', 'deploying', 'deployed'];
begin
  if array_position(v_phases, old.phase::text) >= array_position(v_phases, new.phase::text) then
    raise exception 'a run''s phase does not move from % to %', old.phase, new.phase using errcode = 'SH001';
  end if;
  return new;
end

function guard_step() returns trigger language plpgsql

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

function guard_token() returns trigger language plpgsql

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

function new_id() returns uuid language sql

  -- A UUIDv7 for rows that the database makes itself (Postgres before 18 has no uuidv7()).
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid

function notify_execution_reported() returns trigger language plpgsql

begin
  if (new.claimed_by, new.begun_at, new.reported_at) is distinct from (old.claimed_by, old.begun_at, old.reported_at) then
    perform pg_notify('shipinator_changes', 'execution ' || new.execution_id);
  end if;
  return null;
end

function notify_token_changed() returns trigger language plpgsql

begin
  perform pg_notify('shipinator_changes', 'token ' || old.id);
  return null;
end

function purge_runs(p_before timestamp with time zone, p_limit integer) returns TABLE(kind text, id uuid, backend text, path text) language plpgsql set shipinator.purging=on

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

function purging() returns boolean language sql stable
 select coalesce(current_setting('shipinator.purging', true), '') = 'on'

function refuse_change() returns trigger language plpgsql

begin
  raise exception '% of % refused: %', lower(tg_op), tg_table_name, tg_argv[0]
    using errcode = 'SH001', table = tg_table_name, constraint = tg_name;
end

function refuse_deployed_expiry() returns trigger language plpgsql

begin
  if exists (select from deployments d where d.digests @> array[new.checksum::text]) then
    raise exception 'expiry of artifact % refused: a deployment names its digest', new.id
      using errcode = 'SH001', table = tg_table_name, constraint = tg_name;
  end if;
  return new;
end
