/** A run's columns with the names of what it belongs to; the run itself goes by the alias `row`. */
export const runColumns = `row.id, row.pipeline_id, pipeline.name as pipeline, repository.id as repository_id,
  repository.clone_url, repository.default_branch, repository.clone_secret, repository.account_access, row.project_id, project.name as project, row.number, row.git_ref,
  row.git_sha, row.tree, row.subpath, row.dirty, row.branch, row.tag, row.status, row.phase, row.cause_kind, row.cause_actor, row.cause_delivery, row.requested_stages::text[] as requested_stages,
  row.reused_stages::text[] as reused_stages, row.executor_type, row.config_digest,
  row.failure_reason, row.failure_message, row.cancel_requested_at, row.cancel_requested_by, row.retried_from,
  row.owner_id, row.owner_epoch, row.seq, row.created_at, row.started_at, row.finished_at`;

export const runTables = `pipeline_runs row
  join pipelines pipeline on pipeline.id = row.pipeline_id
  join repositories repository on repository.id = pipeline.repository_id
  join projects project on project.id = row.project_id`;
