-- Up Migration
-- The list of a pipeline's runs by ref compares the ref itself; no query used the expression of the index before.

drop index pipeline_runs_list_of_ref;
create index pipeline_runs_list_of_ref on pipeline_runs (pipeline_id, git_ref, created_at, id);
