-- Up Migration
-- Values of secrets that were replaced or removed. A step of a run that is not over may have written one to a file, so
-- they stay masked in that run's logs. The purge deletes them when no such run is left.

create table retired_secrets (
  id bigint generated always as identity primary key,
  project_id uuid not null references projects on delete cascade,
  name text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
  sealed bytea not null check (octet_length(sealed) between 28 and 65536),
  retired_at timestamptz not null default now()
);

create index retired_secrets_project_id_idx on retired_secrets (project_id, name);
