/** A request to cancel a run: it is recorded and moves seq. */
import { isFinalRun, type RunState } from "../../domain/index.ts";
import { Problem, type RunId } from "../../kernel/index.ts";
import type { Queryable } from "../db/database.ts";
import { storableText } from "../db/text.ts";

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
