-- Up Migration
-- Tokens: one that a server keeps in a file of its own, a tighter guard, and word to every process that remembers one.

-- The file (`host:path`) that this token was made for; one of its tokens holds at a time.
alter table tokens add column file text;
create unique index tokens_one_of_file on tokens (file) where file is not null and revoked_at is null;

create or replace function guard_token() returns trigger
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

create function tell_token_changed() returns trigger
language plpgsql
as $$
begin
  -- However it is revoked or removed, every process that remembers it hears of it with the commit.
  perform pg_notify('shipinator_tokens', old.id::text);
  return null;
end
$$;
create trigger tokens_changed after update or delete on tokens for each row execute function tell_token_changed();
