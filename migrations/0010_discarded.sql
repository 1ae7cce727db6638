-- Up Migration
-- What a purge has left to remove on the disk: written with the deletion of its rows, gone when the bytes are.

create table discarded_bytes (
  kind text not null check (kind in ('artifact', 'log')),
  -- Of the artifact, or of the execution whose log it is; their rows are deleted.
  id uuid not null,
  discarded_at timestamptz not null default now(),
  primary key (kind, id)
);
