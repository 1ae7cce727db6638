/** A request to cancel a run: it is recorded and moves seq. */
import { isFinalRun, type RunState } from "../../domain/index.ts";
import { Problem, type RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";
import { storableText } from "../db/text.ts";

// Moving seq voids a change that was planned before the request, so nothing new starts after it; an execution that waits
// for a slot is recalled for the same reason.
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
  where e.pipeline_run_id = (select a.id from asked a) and e.status = 'pending' and e.instance_id is null
)
insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence)
select a.id, a.seq, 'run', a.id, a.status, a.status, 'cancel_requested', jsonb_build_object('by', $2::text)
from asked a
returning seq`;

/** `seq`: the run's from now on, where the request was recorded. */
export interface CancelAnswer {
  readonly answer: "requested" | "already" | "final";
  readonly seq: number | null;
}

/** @throws Problem not_found */
export async function requestCancel(database: Queryable, id: RunId, by: string): Promise<CancelAnswer> {
  const [requested] = await database.query<{ seq: number }>(cancelSql, [id, storableText(by)]);
  if (requested !== undefined) return { answer: "requested", seq: requested.seq };
  const rows = await database.query<{ status: RunState }>(
    "select r.status from pipeline_runs r where r.id = $1::uuid",
    [id],
  );
  const run = rows[0];
  if (run === undefined) throw new Problem("not_found", `There is no run ${id}.`);
  return { answer: isFinalRun(run.status) ? "final" : "already", seq: null };
}
