-- Up Migration
-- Pipelines and projects that were removed and have runs stay as the home of that history. A removed row gives its name
-- up by a suffix, so that the unique names, and the statements of older programs that rely on them, stay as they are.

alter table projects add column archived_at timestamptz;
alter table pipelines add column archived_at timestamptz;

-- Every new run takes a number from its pipeline, so this also keeps new runs out, whatever program asks for them.
create trigger pipelines_archived before update on pipelines for each row
  when (old.archived_at is not null) execute function refuse_change('a removed pipeline never changes');
create trigger projects_archived before update on projects for each row
  when (old.archived_at is not null) execute function refuse_change('a removed project never changes');
