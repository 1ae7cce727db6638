-- What made a run, and what may make the runs of a pipeline.
create domain cause_kind as text
  check (value in ('manual', 'push', 'pull_request', 'tag', 'cron', 'retry', 'api'));

alter table pipelines
  alter column trigger_type type cause_kind using replace(trigger_type, 'pr', 'pull_request'),
  add constraint pipelines_trigger_type check (trigger_type not in ('retry', 'api'));

alter table pipeline_runs rename column trigger to cause_kind;
alter table pipeline_runs
  alter column cause_kind type cause_kind
    using case when retried_from is null then replace(cause_kind, 'pr', 'pull_request') else 'retry' end,
  add column cause_actor text not null default 'unknown',
  -- The forge's delivery; null where no forge sent one.
  add column cause_delivery text;
alter table pipeline_runs alter column cause_actor drop default;
drop domain trigger_type;

create index pipeline_runs_list_of_project_cause on pipeline_runs (project_id, cause_kind, created_at, id);
create index pipeline_runs_list_of_pipeline_cause on pipeline_runs (pipeline_id, cause_kind, created_at, id);
