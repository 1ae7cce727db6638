-- Up Migration
-- What opens repositories and registries that are not public: names of secrets of the project, never values.

alter table repositories
  -- A token or password (https), or a private key (ssh). Named and not referenced: it may be set later, and anew.
  add column clone_secret text check (clone_secret ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  add column clone_username text check (octet_length(clone_username) between 1 and 256),
  add check (clone_username is null or clone_secret is not null);

create table registry_logins (
  project_id uuid not null references projects on delete cascade,
  -- `host[:port]`, lower case.
  host text not null check (octet_length(host) between 1 and 259 and host = lower(host)),
  username text not null check (octet_length(username) between 1 and 256),
  secret text not null check (secret ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (project_id, host)
);
