-- Up Migration
-- How far the masking of a log has come that an executor elsewhere sends: any server goes on with it.

create table masked_logs (
  execution_id uuid primary key references execution_reports on delete cascade,
  -- Bytes of the executor's log that have come, and bytes of the kept log that were made of them.
  received bigint not null check (received >= 0),
  stored bigint not null check (stored >= 0),
  -- The last bytes kept are a mask: what is masked next belongs to it.
  is_masking boolean not null default false,
  -- Bytes that have come and may be the beginning of a secret: sealed, as secrets are.
  key_id text check (key_id ~ '^[0-9a-f]{16}$'),
  held bytea,
  check ((key_id is null) = (held is null))
);
