-- Up Migration
-- How often a process began to collect the outputs of an execution. It is written before the collection, so that one
-- that ended the process counts, and what ended two processes is not tried with a third.

alter table executions add column collections integer not null default 0 check (collections >= 0);
