/**
 * Describes a database's schema as text, the same on Postgres 15 to 18 and on any day: tables with columns, constraints,
 * indexes and triggers, then domains and functions. (The embedded binaries have no pg_dump.) Monthly partitions are left
 * out, and so are the migrations' own table and NOT NULL as constraints, which only Postgres 18 lists.
 */
import type { Queryable } from "../../src/store/index.ts";

const tableSql = `
select c.oid::integer as id, c.relname as name,
  coalesce(' partition by ' || pg_get_partkeydef(c.oid), '') ||
  coalesce(' partition of ' || (select i.inhparent::regclass from pg_inherits i where i.inhrelid = c.oid) || ' ' ||
    pg_get_expr(c.relpartbound, c.oid), '') ||
  coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') as options
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'pgmigrations'
  and (not c.relispartition or pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT')
order by c.relname collate "C"`;

const partsSql = `
select part.text
from (
  select 1 as rank, a.attnum::text as key, '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ||
      case when a.attnotnull then ' not null' else '' end ||
      case a.attgenerated when 's' then ' generated always as ' || pg_get_expr(d.adbin, d.adrelid) || ' stored'
        else coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') end as text, a.attnum::integer as place
  from pg_attribute a
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
  union all
  select 2, k.conname, '  constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid), 0
  from pg_constraint k
  where k.conrelid = $1::oid and k.contype in ('c', 'f', 'p', 'u', 'x')
  union all
  select 3, i.indexrelid::regclass::text, '  ' || pg_get_indexdef(i.indexrelid), 0
  from pg_index i
  where i.indrelid = $1::oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid
    and k.contype in ('p', 'u', 'x'))
  union all
  select 4, t.tgname, '  ' || pg_get_triggerdef(t.oid), 0
  from pg_trigger t
  where t.tgrelid = $1::oid and not t.tgisinternal
) part (rank, key, text, place)
order by part.rank, part.place, part.key collate "C"`;

const domainSql = `
select 'domain ' || t.typname || ' as ' || format_type(t.typbasetype, t.typtypmod) || ' ' ||
  coalesce(string_agg(pg_get_constraintdef(k.oid), ' ' order by k.conname), '') as text
from pg_type t
left join pg_constraint k on k.contypid = t.oid and k.contype = 'c'
where t.typnamespace = 'public'::regnamespace and t.typtype = 'd'
group by t.oid, t.typname, t.typbasetype, t.typtypmod
order by t.typname collate "C"`;

const functionSql = `
select 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') returns ' ||
  pg_get_function_result(p.oid) || ' language ' || l.lanname ||
  case p.provolatile when 'i' then ' immutable' when 's' then ' stable' else '' end ||
  coalesce(' set ' || array_to_string(p.proconfig, ' set '), '') || E'\\n' || p.prosrc as text
from pg_proc p
join pg_language l on l.oid = p.prolang
where p.pronamespace = 'public'::regnamespace
order by p.proname collate "C", pg_get_function_arguments(p.oid) collate "C"`;

export async function describeSchema(database: Queryable): Promise<string> {
  const lines = ["-- Generated from migrations/. Do not edit: change the schema by a new migration."];
  const tables = await database.query<{ id: number; name: string; options: string }>(tableSql);
  for (const { id, name, options } of tables) {
    const parts = await database.query<{ text: string }>(partsSql, [id]);
    lines.push("", `table ${name}${options}`, ...parts.map(({ text }) => text));
  }
  const domains = await database.query<{ text: string }>(domainSql);
  lines.push("", ...domains.map(({ text }) => text));
  const functions = await database.query<{ text: string }>(functionSql);
  for (const { text } of functions) lines.push("", text.trimEnd());
  return `${lines.join("\n")}\n`;
}
