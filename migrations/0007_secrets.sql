-- Up Migration
-- Secrets of projects: what is stored is sealed, and a key outside of the database opens it.

create table secrets (
  project_id uuid not null references projects on delete cascade,
  name text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
  -- Which key sealed it: the first 16 hex digits of the key's SHA-256.
  key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
  -- Nonce, ciphertext and tag of AES-256-GCM; project and name are authenticated with it.
  sealed bytea not null check (octet_length(sealed) between 28 and 65536),
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (project_id, name)
);
