-- Up Migration
-- Whether git may use what the server's account has by itself (helpers, ssh keys). A token of one project registers
-- repositories without it: otherwise each project's admin could read whatever the server's account can.

alter table repositories add column account_access boolean not null default true;
