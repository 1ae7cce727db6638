-- Up Migration

-- The instance that carries out the first request with a key, so that the key is free when that instance is gone. Null:
-- the program that reserved it did not write it down.
alter table idempotency_keys
  add column holder_node uuid,
  add column holder_epoch integer,
  add constraint idempotency_keys_holder check ((holder_node is null) = (holder_epoch is null));
