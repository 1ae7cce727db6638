-- Up Migration
-- The change feed has one channel. A payload is a kind and its values: tokens and executions are notified here, with the
-- commit; runs by the program, after it.

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

drop trigger tokens_changed on tokens;
drop function tell_token_changed();
create function notify_token_changed() returns trigger
language plpgsql
as $$
begin
  perform pg_notify('shipinator_changes', 'token ' || old.id);
  return null;
end
$$;
create trigger tokens_notify after update or delete on tokens for each row execute function notify_token_changed();
