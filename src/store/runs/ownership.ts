/** Ownership of runs: taking and releasing it, and the positions of owned runs. A change of owner is recorded and moves seq. */
import type { ExecutionId, RunId } from "../../kernel/index.ts";
import type { Database, Queryable } from "../db/database.ts";
import type { Owner } from "./apply.ts";

export interface RunPosition {
  readonly id: RunId;
  readonly seq: number;
  /** True when the owner has claimed an execution of the run that has not ended. */
  readonly claimed: boolean;
}

export interface OwnedRun {
  readonly id: RunId;
  readonly seq: number;
  /** Claimed executions of the run that have not ended. */
  readonly claimed: readonly ExecutionId[];
}

const takeOwnershipSql = `
with taken as (
  update pipeline_runs r
  set owner_id = $4::uuid, owner_epoch = $5::integer, seq = r.seq + 1
  where r.id = $1::uuid and r.status in ('pending', 'running')
    and r.owner_id is not distinct from $2::uuid and r.owner_epoch is not distinct from $3::integer
  returning r.id, r.seq, r.status
),
moved as (
  update executions e
  set owner_id = $4::uuid,
    instance_id = case when e.instance_id is not null then $4::uuid end,
    epoch = case when e.instance_id is not null then $5::integer end
  where e.pipeline_run_id = (select t.id from taken t) and e.status in ('pending', 'running')
)
insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
select t.id, t.seq, 'run', t.id, t.status, t.status, 'taken_over',
  jsonb_build_object('from', $2::uuid, 'fromEpoch', $3::integer, 'to', $4::uuid, 'toEpoch', $5::integer)
from taken t
returning seq`;

/** Returns the run's seq; null: `from` does not own it, or it is final. */
export async function takeOwnership(
  database: Queryable,
  id: RunId,
  from: Owner | null,
  to: Owner,
): Promise<number | null> {
  const values = [id, from?.instance ?? null, from?.epoch ?? null, to.instance, to.epoch];
  return (await database.query<{ seq: number }>(takeOwnershipSql, values))[0]?.seq ?? null;
}

// The live executions keep their instance: they were submitted, and only the next owner may handle them.
const leaveSql = `
with left_alone as (
  update pipeline_runs r
  set owner_id = null, owner_epoch = null, seq = r.seq + 1
  where r.id = $1::uuid and r.status in ('pending', 'running')
    and r.owner_id = $2::uuid and r.owner_epoch = $3::integer
  returning r.id, r.seq, r.status
)
insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
select l.id, l.seq, 'run', l.id, l.status, l.status, 'left',
  jsonb_build_object('by', $2::uuid, 'epoch', $3::integer)
from left_alone l
returning seq`;

/** Returns the run's seq; null: the owner does not own it, or it is final. */
export async function disownRun(database: Queryable, id: RunId, owner: Owner): Promise<number | null> {
  return (await database.query<{ seq: number }>(leaveSql, [id, owner.instance, owner.epoch]))[0]?.seq ?? null;
}

const unfinished = "r.status in ('pending', 'running')";

// `is not distinct from` leaves the planner one good way, the index of what is unfinished: an index of owners would lead
// through all runs that they have ever owned, and statistics from before a burst of runs do not tell the two apart.
const ownedBy = (node: string, epoch: string) =>
  `r.owner_id is not distinct from ${node} and r.owner_epoch is not distinct from ${epoch}`;

/** Reads the distinct owners of the runs that are not final; null: runs without an owner. */
export async function readOwners(database: Queryable): Promise<readonly (Owner | null)[]> {
  const rows = await database.query<{ instance: Owner["instance"] | null; epoch: number | null }>(
    `select r.owner_id as instance, r.owner_epoch as epoch
     from pipeline_runs r
     where ${unfinished}
     group by r.owner_id, r.owner_epoch`,
    [],
    { name: "runs.owners" },
  );
  return rows.map(({ instance, epoch }) =>
    instance === null || epoch === null ? null : { instance, epoch },
  );
}

// Every row is reached by its key: as plain joins these would be planned by guesses about how much is unfinished.
const takeOwnershipOfManySql = `
with chosen as materialized (
  select r.id
  from pipeline_runs r
  where ${unfinished} and ${ownedBy("$1::uuid", "$2::integer")}
  order by r.created_at, r.id
  limit $5::integer
  for no key update skip locked
),
taken as (
  update pipeline_runs r
  set owner_id = $3::uuid, owner_epoch = $4::integer, seq = r.seq + 1
  where r.id = any (array(select c.id from chosen c))
  returning r.id, r.seq, r.status
),
moved as (
  update executions e
  set owner_id = $3::uuid,
    instance_id = case when e.instance_id is not null then $3::uuid end,
    epoch = case when e.instance_id is not null then $4::integer end
  from taken t
  cross join lateral (
    select one.id
    from executions one
    where one.pipeline_run_id = t.id and one.status in ('pending', 'running')
    offset 0
  ) live
  where e.id = live.id
  returning e.id, e.pipeline_run_id, e.instance_id
),
told as (
  insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
  select t.id, t.seq, 'run', t.id, t.status, t.status, 'taken_over',
    jsonb_build_object('from', $1::uuid, 'fromEpoch', $2::integer, 'to', $3::uuid, 'toEpoch', $4::integer)
  from taken t
)
select t.id as run, t.seq, null::uuid as execution from taken t
union all
select m.pipeline_run_id, null::integer, m.id from moved m where m.instance_id is not null`;

/** Takes ownership of up to `limit` unfinished runs of one owner, the oldest first; empty: it has no more. */
export async function takeOwnershipOfMany(
  database: Queryable,
  from: Owner | null,
  to: Owner,
  limit: number,
): Promise<readonly OwnedRun[]> {
  const values = [from?.instance ?? null, from?.epoch ?? null, to.instance, to.epoch, limit];
  const rows = await database.query<{ run: RunId; seq: number | null; execution: ExecutionId | null }>(
    takeOwnershipOfManySql,
    values,
  );
  const claimed = Map.groupBy(rows, ({ run }) => run);
  return rows.flatMap(({ run: id, seq }) => {
    if (seq === null) return [];
    return [{ id, seq, claimed: (claimed.get(id) ?? []).flatMap(({ execution }) => execution ?? []) }];
  });
}

// Two lists instead of a join or an `exists`, which statistics from before a burst turn into one scan for each run. The
// second is read from the index of what is live.
const positionsSql = `
select r.id, r.seq
from pipeline_runs r
where ${unfinished} and ${ownedBy("$1::uuid", "$2::integer")}
union all
select distinct e.pipeline_run_id, null::integer
from executions e
where e.instance_id = $1::uuid and e.status in ('pending', 'running')`;

export async function readPositions(
  database: Database,
  { instance, epoch }: Owner,
): Promise<readonly RunPosition[]> {
  const rows = await database.query<{ id: RunId; seq: number | null }>(positionsSql, [instance, epoch], {
    name: "runs.positions",
  });
  const claimed = new Set(rows.filter(({ seq }) => seq === null).map(({ id }) => id));
  return rows.flatMap(({ id, seq }) => (seq === null ? [] : { id, seq, claimed: claimed.has(id) }));
}
