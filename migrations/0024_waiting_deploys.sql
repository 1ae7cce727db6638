-- Up Migration
-- The deploys that wait for a release, found when the deploy that held it ends: the oldest first.
create index job_steps_pending_deploys on job_steps (left(plan #>> '{deploy,release}', 100), created_at)
  where deploys and status = 'pending';
