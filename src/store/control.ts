/** What moves a run from outside its advances: a request to cancel it, and a new owner. Both are recorded and move seq. */
import { isFinalRun, type RunState } from "../domain/index.ts";
import { Problem, type RunId } from "../kernel/index.ts";
import type { Owner } from "./apply.ts";
import type { Queryable } from "./database.ts";
import { storableText } from "./text.ts";

// Moving seq makes an advance that was planned before the request come to nothing, so nothing new starts after it; an
// execution that waits for a slot is recalled for the same reason.
const cancelSql = `
with asked as (
  update pipeline_runs r
  set cancel_requested_at = now(), cancel_requested_by = $2::text, seq = r.seq + 1
  where r.id = $1::uuid and r.status in ('pending', 'running') and r.cancel_requested_at is null
  returning r.id, r.seq, r.status
),
recalled as (
  update executions e
  set ready_at = null
  where e.pipeline_run_id = (select a.id from asked a) and e.status = 'pending' and e.node is null
)
insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
select a.id, a.seq, 'run', a.id, a.status, a.status, 'cancel_requested', jsonb_build_object('by', $2::text)
from asked a`;

/** @throws Problem not_found */
export async function requestCancel(
  database: Queryable,
  id: RunId,
  by: string,
): Promise<"requested" | "already" | "final"> {
  if ((await database.execute(cancelSql, [id, storableText(by)])) === 1) return "requested";
  const rows = await database.query<{ status: RunState }>(
    "select r.status from pipeline_runs r where r.id = $1::uuid",
    [id],
  );
  const run = rows[0];
  if (run === undefined) throw new Problem("not_found", `There is no run ${id}.`);
  return isFinalRun(run.status) ? "final" : "already";
}

const takeOverSql = `
with taken as (
  update pipeline_runs r
  set owner_node = $4::uuid, owner_epoch = $5::integer, seq = r.seq + 1
  where r.id = $1::uuid and r.status in ('pending', 'running')
    and r.owner_node is not distinct from $2::uuid and r.owner_epoch is not distinct from $3::integer
  returning r.id, r.seq, r.status
),
moved as (
  update executions e
  set owner_node = $4::uuid,
    node = case when e.node is not null then $4::uuid end,
    epoch = case when e.node is not null then $5::integer end
  where e.pipeline_run_id = (select t.id from taken t) and e.status in ('pending', 'running')
)
insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
select t.id, t.seq, 'run', t.id, t.status, t.status, 'taken_over',
  jsonb_build_object('from', $2::uuid, 'fromEpoch', $3::integer, 'to', $4::uuid, 'toEpoch', $5::integer)
from taken t`;

export async function takeOver(
  database: Queryable,
  id: RunId,
  from: Owner | null,
  to: Owner,
): Promise<boolean> {
  const values = [id, from?.node ?? null, from?.epoch ?? null, to.node, to.epoch];
  return (await database.execute(takeOverSql, values)) === 1;
}

// The live executions keep their node: they were handed out, and only who takes the run over may deal with them.
const leaveSql = `
with left_alone as (
  update pipeline_runs r
  set owner_node = null, owner_epoch = null, seq = r.seq + 1
  where r.id = $1::uuid and r.status in ('pending', 'running')
    and r.owner_node = $2::uuid and r.owner_epoch = $3::integer
  returning r.id, r.seq, r.status
)
insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
select l.id, l.seq, 'run', l.id, l.status, l.status, 'left',
  jsonb_build_object('by', $2::uuid, 'epoch', $3::integer)
from left_alone l`;

export async function leaveRun(database: Queryable, id: RunId, owner: Owner): Promise<boolean> {
  return (await database.execute(leaveSql, [id, owner.node, owner.epoch])) === 1;
}
